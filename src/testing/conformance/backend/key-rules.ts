import assert from "node:assert/strict";
import type { IdempotencyClaim, Lease, NewTask } from "../../../ports/backend.js";
import type { StoredPlace } from "../../../ports/backend-inspector.js";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { completed, handlers, newTask, STORED_ERROR } from "./stored-things.js";

const KEPT = { outcome: "kept", replaced: undefined };

/** A task that wants to hold the key. */
export function keyed(
  id: string,
  said: Partial<IdempotencyClaim> = {},
  task: Partial<NewTask> = {},
): NewTask {
  return newTask(id, { idempotency: { key: "key", ttlMs: LONG_MS, onDuplicate: "keep", ...said }, ...task });
}

/** Says who holds the key, which is not kept for that. */
export async function holderOf(trial: BackendTrial): Promise<string | undefined> {
  const [answer] = await trial.enqueue(keyed("q:asks", { onDuplicate: "reject" }));
  if (answer?.outcome !== "kept") return answer?.id;
  await trial.cancel("q:asks");
  return undefined;
}

async function hold(trial: BackendTrial, place: StoredPlace, said?: Partial<IdempotencyClaim>) {
  const delayMs = place === "delayed" ? LONG_MS : 0;
  assert.deepEqual(await trial.enqueue(keyed("q:holder", said, { delayMs })), [KEPT]);
  return await trial.bring("q:holder", place);
}

function heldWhere(place: StoredPlace): BackendRule {
  return {
    name: `keeps no second task with the key of one that is ${place}, and tells its id (I2)`,
    async check(trial) {
      await hold(trial, place);
      await trial.unchanged(["q:holder", "q:second"], async () => {
        const kept = await trial.enqueue(keyed("q:second"));
        assert.deepEqual(kept, [{ outcome: "duplicate", id: "q:holder" }]);
        const rejected = await trial.enqueue(keyed("q:second", { onDuplicate: "reject" }));
        assert.deepEqual(rejected, [{ outcome: "taken", id: "q:holder" }]);
      });
    },
  };
}

function replacedWhere(place: StoredPlace): BackendRule {
  return {
    name: `replaces the holder of a key that is ${place}`,
    async check(trial) {
      await hold(trial, place);
      const requestId = trial.requestId();
      const task = keyed("q:second", { onDuplicate: "replace" });
      const replace = async () => {
        const answers = await trial.backend.enqueue(requestId, [task]);
        assert.deepEqual(answers, [{ outcome: "kept", replaced: "q:holder" }]);
      };
      await replace();
      const { place: where, outcome } = await trial.find("q:holder");
      assert.deepEqual([where, outcome?.state, outcome?.reason], ["finished", "cancelled", "cancelled"]);
      assert.equal(await trial.cancel("q:holder"), "ended");
      assert.equal(await holderOf(trial), "q:second");
      await trial.unchanged(["q:holder", "q:second"], replace);
      assert.deepEqual(await trial.claimIds(), ["q:second"]);
    },
  };
}

function notReplacedWhere(place: StoredPlace): BackendRule {
  return {
    name: `does not replace the holder of a key that is ${place}`,
    async check(trial) {
      await hold(trial, place);
      await trial.unchanged(["q:holder", "q:second"], async () => {
        const answers = await trial.enqueue(keyed("q:second", { onDuplicate: "replace" }));
        assert.deepEqual(answers, [{ outcome: "duplicate", id: "q:holder" }]);
      });
    },
  };
}

async function scopesKeys(trial: BackendTrial): Promise<void> {
  const scopes: readonly (readonly [queue: string, handler: string, key: string])[] = [
    ...[["q", "work", "key"] as const, ["other", "work", "key"] as const, ["q", "other", "key"] as const],
    ...[["q", "a:b", "c"] as const, ["q", "a", "b:c"] as const, ["q", "work", "Key"] as const],
    ...[["q", "work", " key"] as const, ["q", "work", "*"] as const, ["q", "work", "{key}"] as const],
  ];
  for (const [index, [queue, handler, key]] of scopes.entries()) {
    const id = `${queue}:${index}`;
    assert.deepEqual(await trial.enqueue(keyed(id, { key }, { handler })), [KEPT], `${handler} ${key}`);
    const again = await trial.enqueue(keyed(`${id}-2`, { key }, { handler }));
    assert.deepEqual(again, [{ outcome: "duplicate", id }]);
  }
}

async function freesCancelled(trial: BackendTrial, place: "ready" | "delayed"): Promise<void> {
  await hold(trial, place);
  assert.equal(await trial.cancel("q:holder"), "cancelled");
  assert.equal(await holderOf(trial), undefined);
}

/** How a holder ends a task as failed. */
const FAILURES: readonly (readonly [how: string, fail: (trial: BackendTrial, lease: Lease) => unknown])[] = [
  ["becomes a dead letter", (trial, lease) => trial.bury(lease)],
  [
    "fails and leaves no dead letter",
    (trial, lease) =>
      trial.ack(lease, {
        outcome: { ...completed(), state: "failed", reason: "error", error: STORED_ERROR },
      }),
  ],
];

function heldOrFreedWhereIt([how, fail]: (typeof FAILURES)[number]): readonly BackendRule[] {
  return [
    {
      name: `lets go of the key of a task that ${how}, where that was asked for`,
      async check(trial) {
        await fail(trial, await hold(trial, "leased", { onFailure: "free" }));
        assert.deepEqual(await trial.enqueue(keyed("q:second")), [KEPT]);
        assert.equal(await holderOf(trial), "q:second");
      },
    },
    {
      name: `holds the key of a task that ${how}, where nothing else was asked for`,
      async check(trial) {
        await fail(trial, await hold(trial, "leased", { onFailure: "hold" }));
        assert.equal(await holderOf(trial), "q:holder");
      },
    },
  ];
}

/** Who holds a key, and for how long. */
export const KEY_RULES: readonly BackendRule[] = [
  ...(["ready", "delayed", "leased", "dead", "finished"] as const).map(heldWhere),
  ...(["ready", "delayed"] as const).map(replacedWhere),
  ...(["leased", "dead", "finished"] as const).map(notReplacedWhere),
  { name: "takes a key for another in another queue, handler or spelling", check: scopesKeys },
  {
    name: "holds a key while its task lives, however long that is",
    async check(trial) {
      await hold(trial, "ready", { ttlMs: 0 });
      await trial.pass(0.2);
      assert.equal(await holderOf(trial), "q:holder");
      const lease = await trial.claimOne();
      assert.equal(await holderOf(trial), "q:holder");
      await trial.nack(lease, { kind: "retry", delayMs: LONG_MS });
      assert.equal(await holderOf(trial), "q:holder");
    },
  },
  {
    name: "lets go of a key when its task has ended and its time is over, and not before",
    async check(trial) {
      const lease = await hold(trial, "leased", { ttlMs: 2 * trial.subject.leaseMs });
      await trial.pass(0.5);
      await trial.ack(lease);
      assert.equal(await holderOf(trial), "q:holder");
      await trial.pass(2);
      assert.equal(await holderOf(trial), undefined);
    },
  },
  {
    name: "lets go of a key at the end of its task where its time was over before",
    async check(trial) {
      const lease = await hold(trial, "leased", { ttlMs: 0 });
      await trial.pass(0.1);
      await trial.ack(lease);
      assert.equal(await holderOf(trial), undefined);
    },
  },
  {
    name: "lets go of the key of a ready task that is cancelled",
    check: (trial) => freesCancelled(trial, "ready"),
  },
  {
    name: "lets go of the key of a delayed task that is cancelled",
    check: (trial) => freesCancelled(trial, "delayed"),
  },
  {
    name: "lets go of the key of a task that its holder ends as cancelled",
    async check(trial) {
      const lease = await hold(trial, "leased");
      const outcome = {
        ...completed(),
        state: "cancelled",
        reason: "cancelled",
        error: STORED_ERROR,
      } as const;
      await trial.ack(lease, { outcome });
      assert.equal(await holderOf(trial), undefined);
    },
  },
  ...FAILURES.flatMap(heldOrFreedWhereIt),
  {
    name: "lets go of the key of a task in a crash loop, where that was asked for",
    async check(trial) {
      await trial.enqueue(keyed("q:holder", { onFailure: "free" }, { maxDeliveries: 1 }));
      await trial.claimBriefly();
      await trial.expire();
      assert.equal((await trial.claim()).crashed.length, 1);
      assert.equal(await holderOf(trial), undefined);
    },
  },
  {
    name: "holds the key that a failure would free while its task lives, and once it has completed",
    async check(trial) {
      const lease = await hold(trial, "leased", { onFailure: "free" });
      await trial.nack(lease, { kind: "retry", error: STORED_ERROR });
      assert.equal(await holderOf(trial), "q:holder");
      await trial.ack(await trial.claimOne());
      assert.equal(await holderOf(trial), "q:holder");
    },
  },
  {
    name: "holds a key beyond the outcome of its task",
    async check(trial) {
      const lease = await hold(trial, "leased");
      await trial.ack(lease, { resultTtlMs: 1 });
      await trial.pass(0.5);
      assert.equal(await trial.read("q:holder"), undefined);
      assert.equal(await holderOf(trial), "q:holder");
    },
  },
  {
    name: "takes tasks of one call with one key in turn",
    async check(trial) {
      const asked = [keyed("q:a"), keyed("q:b"), keyed("q:c", { onDuplicate: "replace" })];
      assert.deepEqual(await trial.enqueue(...asked), [
        KEPT,
        { outcome: "duplicate", id: "q:a" },
        { outcome: "kept", replaced: "q:a" },
      ]);
      assert.deepEqual(await trial.claimIds(), ["q:c"]);
    },
  },
  {
    name: "keeps one of the tasks that come with one key at once",
    async check(trial) {
      const clients = [trial.backend, await trial.connect(), await trial.connect()];
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          clients[index % 3]?.enqueue(trial.requestId(), [keyed(`q:${index}`)]),
        ),
      );
      const kept = answers.flat().filter((answer) => answer?.outcome === "kept");
      assert.equal(kept.length, 1);
      assert.deepEqual(await trial.counts(), { ready: 1 });
      const holder = await trial.claimOne({ handlers: handlers("work") });
      assert(answers.flat().every((answer) => answer?.outcome === "kept" || answer?.id === holder.id));
    },
  },
];
