import assert from "node:assert/strict";
import type { NewTask } from "../../../ports/backend.js";
import type { ReplayRequest } from "../../../ports/backend-inspector.js";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { holderOf, keyed } from "./key-rules.js";
import { handlers, newTask, newTasks, STORED_ERROR, sameBytes } from "./stored-things.js";

/** What one call puts back at most. */
const REPLAYS = 1_000;

async function replay(trial: BackendTrial, said: Partial<ReplayRequest> = {}): Promise<readonly string[]> {
  const request = { queue: "q", ids: undefined, handler: undefined, reason: undefined, ...said };
  const { replayed, held, more } = await trial.backend.inspector.replay(request);
  assert.deepEqual([held, more], [[], false]);
  return replayed;
}

/** Dead letters of two handlers and two reasons, which came to that in this order. */
async function buryFour(trial: BackendTrial): Promise<void> {
  for (const [rest, handler, reason] of [
    ["1", "work", "error"],
    ["2", "other", "timeout"],
    ["3", "work", "timeout"],
    ["4", "other", "error"],
  ] as const) {
    await trial.keep(`q:${rest}`, { handler });
    await trial.bury(await trial.claimOne({ handlers: handlers(handler) }), { reason });
  }
}

async function replaysFiltered(trial: BackendTrial): Promise<void> {
  await buryFour(trial);
  await trial.keep("other:5");
  await trial.bury(await trial.claimOne({ queue: "other" }));
  assert.deepEqual(await replay(trial, { ids: ["other:5"] }), []);
  assert.deepEqual(await replay(trial, { handler: "work", reason: "timeout" }), ["q:3"]);
  assert.deepEqual(await trial.counts(), { ready: 1, dead: 3 });
  const chosen = ["q:4", "q:3", "q:nobody", "q:2", "q:4"];
  assert.deepEqual([...(await replay(trial, { ids: chosen }))].sort(), ["q:2", "q:4"]);
  assert.deepEqual(await replay(trial, { ids: chosen }), []);
  assert.deepEqual(await replay(trial, { reason: "timeout" }), []);
  assert.deepEqual(await replay(trial, { reason: "error" }), ["q:1"]);
  assert.deepEqual([await trial.counts(), await trial.counts("other")], [{ ready: 4 }, { dead: 1 }]);
}

async function beginsAnew(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a", { payload: new Uint8Array([8]), envelope: "{ }", maxDeliveries: 2 });
  await trial.nack(await trial.claimOne(), { kind: "retry" });
  const lease = await trial.claimOne();
  await trial.bury(lease);
  await trial.keep("q:b");
  assert.deepEqual(await replay(trial), ["q:a"]);
  const { place, attempts, deliveries, outcome, envelope } = await trial.find("q:a");
  assert.deepEqual([place, attempts, deliveries, outcome, envelope], ["ready", 0, 0, undefined, "{ }"]);
  assert.equal(await trial.bury(lease), false, "the lease that has ended is that of another life");
  const { tasks } = await trial.claim();
  assert.deepEqual(
    tasks.map(({ id }) => id),
    ["q:b", "q:a"],
  );
  const [, again] = tasks;
  assert(again !== undefined && again.token > lease.token, "tokens grow");
  assert.deepEqual([again.attempts, again.deliveries], [0, 1]);
  assert(again.replayedAt !== undefined && again.replayedAt >= again.enqueuedAt, "it was put back");
  assert.equal(tasks[0]?.replayedAt, undefined, "the other never was");
  sameBytes(again.payload, new Uint8Array([8]));
  assert(await trial.ack(again));
}

async function tellsWhenItWasPutBack(trial: BackendTrial): Promise<void> {
  const { leaseMs } = trial.subject;
  await trial.keep("q:a");
  let lease = await trial.claimOne();
  for (let replays = 0; replays < 2; replays++) {
    await trial.bury(lease);
    await trial.pass(1);
    await replay(trial, { ids: ["q:a"] });
    const again = await trial.claimOne();
    const { claimedAt, enqueuedAt, replayedAt = 0 } = again;
    assert.equal(enqueuedAt, lease.enqueuedAt);
    assert(replayedAt - lease.claimedAt >= 0.9 * leaseMs, "it was put back later than it was claimed before");
    assert(replayedAt <= claimedAt, "it was claimed after that");
    lease = again;
  }
}

/** In the order in which they are given. */
async function bury(trial: BackendTrial, tasks: readonly NewTask[]): Promise<void> {
  await trial.enqueue(...tasks);
  const names = new Set(tasks.map(({ handler }) => handler));
  const claimed = (await trial.claim({ handlers: handlers(...names) })).tasks;
  const error = STORED_ERROR;
  const rest = { reason: "error", error, charged: true, resultTtlMs: LONG_MS };
  await trial.backend.deadLetter(claimed.map(({ id, token }) => ({ id, token, ...rest })));
}

async function replaysInSteps(trial: BackendTrial): Promise<void> {
  const tasks = newTasks(REPLAYS + 5);
  await bury(trial, tasks);
  const request = { queue: "q", ids: undefined, handler: undefined, reason: undefined };
  const first = await trial.backend.inspector.replay(request);
  assert.deepEqual([first.replayed.length, first.more], [REPLAYS, true]);
  const second = await trial.backend.inspector.replay(request);
  assert.deepEqual([second.replayed.length, second.more], [5, false]);
  const all = [...first.replayed, ...second.replayed];
  assert.deepEqual(new Set(all), new Set(tasks.map(({ id }) => id)));
}

/** One that has left its key to others. */
async function buryKeyed(trial: BackendTrial, id: string): Promise<void> {
  await trial.keep(id, keyed(id, { onFailure: "free" }));
  await trial.bring(id, "dead");
}

async function stays(trial: BackendTrial, id: string, heldBy: string, replayed: readonly string[] = []) {
  const request = { queue: "q", ids: undefined, handler: undefined, reason: undefined };
  const answer = await trial.backend.inspector.replay(request);
  assert.deepEqual(answer, { replayed, held: [{ id, heldBy }], more: false });
}

/** What dead letters that are put back have to do with idempotency keys. */
const KEYED_RULES: readonly BackendRule[] = [
  {
    name: "puts no dead letter back whose key another task holds, and tells which one does (I2)",
    async check(trial) {
      await buryKeyed(trial, "q:a");
      await trial.keep("q:b", keyed("q:b"));
      await trial.unchanged(["q:a", "q:b"], () => stays(trial, "q:a", "q:b"));
      await trial.ack(await trial.claimOne()); // so that the work has been done
      await trial.unchanged(["q:a", "q:b"], () => stays(trial, "q:a", "q:b"));
    },
  },
  {
    name: "puts a dead letter back when its key is free again, which it then holds",
    async check(trial) {
      await buryKeyed(trial, "q:a");
      await trial.keep("q:b", keyed("q:b"));
      await trial.cancel("q:b");
      assert.deepEqual(await replay(trial), ["q:a"]);
      assert.equal(await holderOf(trial), "q:a");
    },
  },
  {
    name: "lets a dead letter that is put back hold its key for as long as it lives",
    async check(trial) {
      await trial.keep("q:a", keyed("q:a", { ttlMs: trial.subject.leaseMs }));
      await trial.bring("q:a", "dead");
      assert.deepEqual(await replay(trial), ["q:a"]);
      await trial.expire();
      assert.equal(await holderOf(trial), "q:a");
    },
  },
  {
    name: "puts one of several dead letters back that have one key",
    async check(trial) {
      for (const id of ["q:a", "q:b"]) await buryKeyed(trial, id);
      await stays(trial, "q:b", "q:a", ["q:a"]);
      assert.deepEqual(await trial.counts(), { ready: 1, dead: 1 });
    },
  },
];

/** What is kept of tasks that have failed, and how it is put back to work. */
export const DEAD_LETTER_RULES: readonly BackendRule[] = [
  ...KEYED_RULES,
  {
    name: "puts those dead letters back to work that were asked for, each once (D17)",
    check: replaysFiltered,
  },
  { name: "lets a task that is replayed begin anew, behind what came meanwhile", check: beginsAnew },
  { name: "tells when a dead letter was put back, each time", check: tellsWhenItWasPutBack },
  {
    name: "puts a thousand dead letters back in one call, and says whether there are more",
    check: replaysInSteps,
  },
  {
    name: "puts each dead letter back once, however many replay at once (D17)",
    async check(trial) {
      await buryFour(trial);
      const other = await trial.connect();
      const request = { queue: "q", ids: undefined, handler: undefined, reason: undefined };
      const both = await Promise.all(
        [trial.backend, other].map(({ inspector }) => inspector.replay(request)),
      );
      const ids = both.flatMap(({ replayed }) => replayed);
      assert.deepEqual([...ids].sort(), ["q:1", "q:2", "q:3", "q:4"]);
      assert.deepEqual(await trial.counts(), { ready: 4 });
    },
  },
  {
    name: "leaves no dead letter behind that fits, whoever puts others back meanwhile (D17)",
    async check(trial) {
      const names = ["one", "two", "three"];
      const tasks = newTasks(3_000).map((task, index) => ({ ...task, handler: names[index % 3] ?? "" }));
      for (let at = 0; at < tasks.length; at += 500) await bury(trial, tasks.slice(at, at + 500));
      const clients = [trial.backend, await trial.connect(), await trial.connect()];
      const answers = await Promise.all(
        clients.map(({ inspector }, index) =>
          inspector.replay({ queue: "q", ids: undefined, handler: names[index], reason: undefined }),
        ),
      );
      assert.deepEqual(
        answers.map(({ replayed, more }) => [replayed.length, more]),
        names.map(() => [1_000, false]),
      );
      assert.deepEqual(await trial.counts(), { ready: 3_000 });
    },
  },
  {
    name: "drops the oldest dead letters where there are too many, and counts them (D16)",
    limits: () => ({ deadLetters: { maxEntries: 2 } }),
    async check(trial) {
      await buryFour(trial);
      assert.deepEqual(await trial.counts(), { dead: 2, finished: 2, deadDropped: 2 });
      // Their outcomes are kept as long as it was said.
      const { place, payload, outcome } = await trial.find("q:1");
      assert.deepEqual([place, payload, outcome?.reason], ["finished", undefined, "error"]);
      assert.deepEqual(await trial.enqueue(newTask("q:1")), [{ outcome: "taken", id: "q:1" }]);
      assert.deepEqual(await replay(trial, { ids: ["q:1"] }), []);
      assert.deepEqual(await replay(trial), ["q:3", "q:4"]);
    },
  },
  {
    name: "keeps as many dead letters of each queue by itself",
    limits: () => ({ deadLetters: { maxEntries: 1 } }),
    async check(trial) {
      await trial.put("q:a", "dead");
      await trial.keep("other:b");
      await trial.bury(await trial.claimOne({ queue: "other" }));
      assert.deepEqual([await trial.counts(), await trial.counts("other")], [{ dead: 1 }, { dead: 1 }]);
    },
  },
  {
    name: "drops dead letters that are too old, and counts them",
    limits: (leaseMs) => ({ deadLetters: { ttlMs: leaseMs } }),
    async check(trial) {
      await trial.keepInTurn("q:a");
      await trial.bury(await trial.claimOne(), { resultTtlMs: 1 });
      await trial.pass(0.3);
      assert.deepEqual(await trial.counts(), { dead: 1 });
      await trial.expire();
      await trial.claim();
      assert.deepEqual(await replay(trial), []);
      assert.deepEqual([await trial.counts(), await trial.read("q:a")], [{ deadDropped: 1 }, undefined]);
    },
  },
];
