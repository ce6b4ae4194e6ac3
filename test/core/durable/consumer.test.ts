import { expect, test } from "vitest";
import { Consumer, type ConsumerHost, type ConsumerOptions } from "../../../src/core/durable/consumer.js";
import type { HeldLease, Settlement } from "../../../src/core/durable/held-lease.js";
import type { Backend, ClaimAnswer, ClaimedTask, Nack } from "../../../src/ports/backend.js";
import type { LeaseRenewal, RenewalListener } from "../../../src/ports/lease-renewal.js";
import { ManualClock, seededRandom } from "../../../src/testing/index.js";

const LEASE_MS = 30_000;

const NOTHING: ClaimAnswer = {
  ...{ tasks: [], crashed: [], reclaimed: 0 },
  ...{ stoppedAtCost: undefined, nextDueMs: undefined },
};

const ignore = () => {};
const DEAF = {
  ...{
    beginRound: ignore,
    endRound: ignore,
    claimed: ignore,
    lost: ignore,
    cancelAsked: ignore,
    confirmed: ignore,
  },
  ...{ refused: ignore, unknown: ignore, crashed: ignore, failed: ignore, idle: ignore },
};

type Given = Pick<ConsumerOptions, "clock" | "host" | "openRenewal" | "pulses">;

function createConsumer({
  backend,
  pulses,
  ...given
}: Partial<Given> & Pick<Given, "clock" | "host"> & { backend: Partial<Backend> }) {
  return new Consumer({
    ...{ backend: backend as Backend, pulses, ...given, random: seededRandom(1) },
    ...{ queues: [{ name: "q", share: 1 }], strict: false, requestPrefix: "p-" },
    ...{ leaseMs: LEASE_MS, maxBlockedMs: 120_000, pollMs: 5_000 },
  });
}

const COMPLETED: Settlement = {
  kind: "ack",
  ack: {
    outcome: { state: "completed", reason: undefined, value: undefined, error: undefined, charged: true },
    resultTtlMs: 1,
  },
};

/** Time that passes while a handler blocks: no timer fires in it. */
class LateClock extends ManualClock {
  blockedMs = 0;

  override now(): number {
    return super.now() + this.blockedMs;
  }
}

/** A claim brings two tasks; the handler of the first blocks for three leases as soon as it is started. */
async function blockedAtStart(renews: boolean) {
  const clock = new LateClock();
  const started: string[] = [];
  const limits: string[] = [];
  const nacked: Nack[] = [];
  const tasks = ["q:a", "q:b"].map((id) => ({ id, token: 1 }) as ClaimedTask);
  const answers = [{ ...NOTHING, tasks }];
  const backend: Pick<Backend, "ack" | "claim" | "deadLetter" | "extend" | "nack"> = {
    claim: async () => answers.shift() ?? NOTHING,
    extend: async (all) => all.map(() => ({ held: true, cancel: undefined })),
    nack: async (all) => {
      nacked.push(...all);
      return all.map(() => true);
    },
    ack: async (all) => all.map(() => true),
    deadLetter: async (all) => all.map(() => true),
  };
  const openRenewal = (listener: RenewalListener): LeaseRenewal => ({
    ...{ active: true, keep: () => {}, release: () => {}, close: async () => {} },
    limit: ({ id }, forMs, isFree) => limits.push(`${id} ${forMs} ${isFree}`),
    catchUp: () => {
      if (renews) for (const task of tasks) listener.renewed(task, 0, undefined);
    },
  });
  const host: ConsumerHost = {
    ...DEAF,
    reserve: () => ({ handlers: [], slots: [2], permits: 2, leftOut: [], readyAt: () => 0, release: ignore }),
    start: (held: HeldLease) => {
      started.push(held.task.id);
      consumer.begins(held, 60_000, held.task.id === "q:b");
      if (held.task.id === "q:a") clock.blockedMs = 3 * LEASE_MS;
      return true;
    },
  };
  const consumer = createConsumer({ backend, clock, host, openRenewal, pulses: new Int32Array(4) });
  consumer.start();
  await clock.advance(0);
  return { consumer, limits, nacked, started };
}

test("a task of a claim is started after one that blocked for leases, where its lease was renewed", async () => {
  const { nacked, started } = await blockedAtStart(true);
  expect([started, nacked]).toEqual([["q:a", "q:b"], []]);
});

test("it goes back at no cost where its lease was not", async () => {
  const { nacked, started } = await blockedAtStart(false);
  expect(started).toEqual(["q:a"]);
  expect(nacked).toMatchObject([{ id: "q:b", kind: "hand-back" }]);
});

test("what renews is told until when a task may run, and that one which has ended needs this thread", async () => {
  const { consumer, limits } = await blockedAtStart(true);
  const lease = consumer.find("q:b") as HeldLease;
  consumer.begins(lease, Number.POSITIVE_INFINITY, true); // one without a timeout
  consumer.settle(lease, { kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
  const leftMs = 60_000 + LEASE_MS / 3;
  expect(limits).toEqual([
    ...[`q:a ${leftMs} core`, `q:b ${leftMs} nobody`],
    ...["q:b Infinity core", "q:b Infinity core"],
  ]);
});

test("what renews is told which slot a task has, and when it has left it", async () => {
  const { consumer, limits } = await blockedAtStart(true);
  const lease = consumer.find("q:b") as HeldLease;
  limits.length = 0;
  consumer.placed(lease, 3);
  consumer.placed(lease, undefined);
  consumer.placed(lease, 4); // there is no such word
  consumer.settle(lease, { kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
  consumer.placed(lease, 3); // too late
  expect(limits).toEqual([
    ...["q:b Infinity 3", "q:b Infinity core"],
    ...["q:b Infinity core", "q:b Infinity core"],
  ]);
});

/** A claim brings a task that ends at once; `room` says whether another one may run then. */
async function callsAfterAnEnd(room: boolean): Promise<readonly string[]> {
  const clock = new ManualClock();
  const calls: string[] = [];
  let isFree = true;
  const answers = [{ ...NOTHING, tasks: [{ id: "q:a", token: 1 } as ClaimedTask] }];
  const backend: Pick<Backend, "ack" | "claim"> = {
    claim: async () => {
      calls.push("claim");
      return answers.shift() ?? NOTHING;
    },
    ack: async (all) => {
      calls.push("ack");
      return all.map(() => true);
    },
  };
  const host: ConsumerHost = {
    ...DEAF,
    reserve: () =>
      isFree
        ? { handlers: [], slots: [1], permits: 1, leftOut: [], readyAt: () => 0, release: ignore }
        : undefined,
    start: (held) => {
      consumer.settle(held, COMPLETED);
      isFree = false;
      queueMicrotask(() => {
        isFree = room;
        consumer.claim(false);
      });
      return true;
    },
  };
  const consumer = createConsumer({ backend, clock, host });
  consumer.start();
  await clock.advance(0);
  return calls;
}

test("the claim for slots that tasks have left goes before what the store is told of these", async () => {
  expect((await callsAfterAnEnd(true)).slice(0, 3)).toEqual(["claim", "claim", "ack"]);
});

test("what the store is told does not wait for a claim for which there is no room", async () => {
  expect(await callsAfterAnEnd(false)).toEqual(["claim", "ack"]);
});

/** Three tasks run; the store answers what it is told of their progress when the test lets it. */
async function endsWithProgress() {
  const clock = new ManualClock();
  const calls: string[] = [];
  const answer: (() => void)[] = [];
  const fails: ((error: Error) => void)[] = [];
  const tasks = ["q:a", "q:b", "q:c"].map((id) => ({ id, token: 1 }) as ClaimedTask);
  const answers = [{ ...NOTHING, tasks }];
  const backend: Pick<Backend, "ack" | "claim" | "extend"> = {
    claim: async () => answers.shift() ?? NOTHING,
    extend: (all) => {
      calls.push(`extend ${all.map(({ id, progress }) => `${id} ${progress}`).join()}`);
      return new Promise((resolve, reject) => {
        answer.push(() => resolve(all.map(() => ({ held: true, cancel: undefined }))));
        fails.push(reject);
      });
    },
    ack: async (all) => {
      calls.push(`ack ${all.map(({ id }) => id).join()}`);
      return all.map(() => true);
    },
  };
  const unknown: string[] = [];
  const host: ConsumerHost = {
    ...DEAF,
    reserve: () => ({ handlers: [], slots: [3], permits: 3, leftOut: [], readyAt: () => 0, release: ignore }),
    start: () => true,
    unknown: ({ task }) => unknown.push(task.id),
  };
  const consumer = createConsumer({ backend, clock, host });
  consumer.start();
  await clock.advance(0);
  const tell = (id: string, progress: number) =>
    consumer.report(consumer.find(id) as HeldLease, new Uint8Array([progress]));
  const end = (id: string) => consumer.settle(consumer.find(id) as HeldLease, COMPLETED);
  return { answer, calls, clock, consumer, end, fails, tell, unknown };
}

test("an end waits until the store has answered the last progress of its task, and no other does", async () => {
  const { answer, calls, clock, consumer, end, tell } = await endsWithProgress();
  tell("q:a", 7);
  for (const id of ["q:a", "q:b"]) end(id);
  await clock.advance(10);
  expect(calls).toEqual(["extend q:a 7", "ack q:b"]);
  answer[0]?.();
  await clock.advance(1);
  expect(calls.slice(2)).toEqual(["ack q:a"]);
  expect(consumer.unconfirmed).toBe(0);
});

test("an end waits for progress that was on its way before, and for what came after that", async () => {
  const { answer, calls, clock, end, tell } = await endsWithProgress();
  tell("q:a", 1);
  tell("q:b", 2);
  await clock.advance(10);
  tell("q:b", 3);
  for (const id of ["q:a", "q:b", "q:c"]) end(id);
  await clock.advance(10);
  expect(calls).toEqual(["extend q:a 1,q:b 2", "extend q:b 3", "ack q:c"]);
  for (const go of answer) go();
  await clock.advance(10);
  expect(calls.slice(3)).toEqual(["ack q:a,q:b"]);
});

test("an end is told all the same where the last progress could not be", async () => {
  const { calls, clock, end, fails, tell } = await endsWithProgress();
  tell("q:a", 7);
  end("q:a");
  await clock.advance(10);
  fails[0]?.(new Error("no answer"));
  await clock.advance(1);
  expect(calls).toEqual(["extend q:a 7", "ack q:a"]);
});

test("an end whose progress is not answered is given up with the others", async () => {
  const { answer, calls, clock, consumer, end, tell, unknown } = await endsWithProgress();
  tell("q:a", 7);
  end("q:a");
  await clock.advance(10);
  consumer.giveUp(new Error("the stop is over"));
  expect([unknown, consumer.unconfirmed]).toEqual([["q:a"], 0]);
  answer[0]?.();
  await clock.advance(10);
  expect(calls).toEqual(["extend q:a 7"]);
});
