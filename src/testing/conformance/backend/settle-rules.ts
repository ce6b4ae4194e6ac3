import assert from "node:assert/strict";
import type { StoredOutcome } from "../../../task/stored-outcome.js";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { completed, STORED_ERROR, sameBytes } from "./stored-things.js";

const FAILED: StoredOutcome = {
  ...{ state: "failed", reason: "timeout", value: undefined, error: STORED_ERROR, charged: true },
};

function keepsOutcome(what: string, outcome: StoredOutcome): BackendRule {
  return {
    name: `keeps the outcome of a task that was acked: ${what}`,
    async check(trial) {
      assert(await trial.ack(await trial.put("q:a", "leased"), { outcome }));
      const { place, attempts, outcome: kept } = await trial.find("q:a");
      assert.deepEqual([place, attempts], ["finished", outcome.charged ? 1 : 0]);
      const { value, ...rest } = outcome;
      const { value: keptValue, ...keptRest } = kept ?? completed();
      assert.deepEqual(keptRest, rest);
      if (value === undefined) assert.equal(keptValue, undefined);
      else sameBytes(keptValue, value);
      assert.deepEqual(await trial.counts(), { finished: 1 });
    },
  };
}

async function countsAttempts(trial: BackendTrial): Promise<void> {
  const clients = [trial.backend, await trial.connect()];
  await trial.keep("q:a");
  for (let attempts = 0; attempts < 3; attempts++) {
    const lease = await trial.claimOne({ by: clients[attempts % 2] });
    assert.deepEqual([lease.attempts, lease.deliveries], [attempts, 1]);
    const error = `{"n":${attempts}}`;
    assert(await trial.nack(lease, { kind: "retry", error }));
    const { place, attempts: kept, error: last } = await trial.find("q:a");
    assert.deepEqual([place, kept, last], ["ready", attempts + 1, error]);
  }
  for (const kind of ["reschedule", "hand-back"] as const) {
    const lease = await trial.claimOne();
    assert.deepEqual([lease.attempts, lease.deliveries], [3, 1]);
    assert(await trial.nack(lease, { kind }));
  }
  assert.equal((await trial.find("q:a")).attempts, 3);
}

async function buries(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a", { payload: new Uint8Array([4, 5]), envelope: "{}" });
  assert(await trial.bury(await trial.claimOne(), { reason: "deadline" }));
  const task = await trial.find("q:a");
  sameBytes(task.payload, new Uint8Array([4, 5]));
  assert.deepEqual([task.place, task.attempts, task.error, task.envelope], ["dead", 1, STORED_ERROR, "{}"]);
  const outcome = {
    state: "failed",
    reason: "deadline",
    value: undefined,
    error: STORED_ERROR,
    charged: true,
  };
  assert.deepEqual(task.outcome, outcome);
  assert.deepEqual([await trial.counts(), await trial.claimIds()], [{ dead: 1 }, []]);
}

function waitsAfter(kind: "retry" | "reschedule" | "hand-back"): BackendRule {
  return {
    name: `lets a task wait that is given back with a delay: ${kind}`,
    async check(trial) {
      const { leaseMs } = trial.subject;
      const lease = await trial.put("q:a", "leased");
      await trial.nack(lease, { kind, delayMs: leaseMs });
      const { place, until = 0, enqueuedAt } = await trial.find("q:a");
      assert(place === "delayed" && until >= enqueuedAt + leaseMs, `it is ${place} until ${until}`);
      const { tasks, nextDueMs } = await trial.claim();
      assert.deepEqual(tasks, []);
      assert(nextDueMs !== undefined && nextDueMs > 0 && nextDueMs <= leaseMs, `due in ${nextDueMs} ms`);
      await trial.expire();
      assert.deepEqual(await trial.claimIds(), ["q:a"]);
    },
  };
}

/** What becomes of a task when its holder reports back. */
export const SETTLE_RULES: readonly BackendRule[] = [
  keepsOutcome("a value", completed(new Uint8Array([0, 255]))),
  keepsOutcome("no value", completed()),
  keepsOutcome("a value of no bytes", completed(new Uint8Array())),
  keepsOutcome("a failure", FAILED),
  keepsOutcome("a failure that does not count as an attempt", { ...FAILED, charged: false }),
  keepsOutcome("a cancellation (C10)", {
    ...FAILED,
    state: "cancelled",
    reason: "cancelled",
    charged: false,
  }),
  {
    name: "counts attempts that were retried, and no others, whoever made them (R8, X5)",
    check: countsAttempts,
  },
  { name: "keeps a dead letter with all that it was", check: buries },
  {
    name: "counts no attempt of a dead letter where it is not charged",
    async check(trial) {
      await trial.bury(await trial.put("q:a", "leased"), { charged: false });
      assert.equal((await trial.find("q:a")).attempts, 0);
    },
  },
  ...(["retry", "reschedule", "hand-back"] as const).map(waitsAfter),
  {
    name: "keeps the outcome of a task as long as it was told, and no longer (D24)",
    async check(trial) {
      const lease = await trial.put("q:a", "leased");
      await trial.extend(lease, { progress: new Uint8Array([1]) });
      await trial.ack(lease, { resultTtlMs: trial.subject.leaseMs });
      await trial.pass(0.4);
      assert.equal((await trial.find("q:a")).outcome?.state, "completed");
      await trial.pass(0.8);
      assert.deepEqual([await trial.read("q:a"), await trial.counts()], [undefined, {}]);
    },
  },
  {
    name: "knows by which lease a task has ended when its outcome is gone",
    async check(trial) {
      const lease = await trial.put("q:a", "leased");
      const end = { resultTtlMs: 1 };
      await trial.ack(lease, end);
      await trial.pass(0.5);
      assert.equal(await trial.read("q:a"), undefined);
      assert.equal(await trial.ack(lease, end), true);
      assert.equal(await trial.ack({ id: "q:a", token: lease.token - 1 }, end), false);
      assert.equal(await trial.read("q:a"), undefined);
    },
  },
  {
    name: "takes an id again when nothing is known of it any more",
    leaps: true,
    async check(trial) {
      await trial.ack(await trial.put("q:a", "leased"), { resultTtlMs: 1 });
      await trial.passMs(2 * LONG_MS);
      await trial.keep("q:a");
      assert.deepEqual(await trial.claimIds(), ["q:a"]);
    },
  },
];
