import assert from "node:assert/strict";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";

/** So many times the next claim gets the task, and its holder is not heard of again. */
async function loseDeliveries(trial: BackendTrial, count: number, attempts = 0): Promise<void> {
  for (let deliveries = 1; deliveries <= count; deliveries++) {
    const lease = await trial.claimBriefly();
    assert.deepEqual([lease.attempts, lease.deliveries], [attempts, deliveries]);
    await trial.expire();
  }
}

async function endsCrashLoop(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a", { maxDeliveries: 2 });
  await trial.nack(await trial.claimOne(), { kind: "retry" });
  await loseDeliveries(trial, 2, 1);
  const { tasks, crashed, reclaimed } = await trial.claim();
  assert.deepEqual([tasks, reclaimed], [[], 1]);
  assert.deepEqual(crashed, [{ id: "q:a", handler: "work", deliveries: 2, attempts: 1 }]);
  const { place, attempts, deliveries, payload, outcome, error } = await trial.find("q:a");
  assert.deepEqual([place, attempts, deliveries, payload?.length], ["dead", 1, 2, 3]);
  const { state, reason, charged } = outcome ?? {};
  assert.deepEqual([state, reason, charged], ["failed", "crash-loop", false]);
  assert.equal(outcome?.error, error);
  // The JSON text of an error envelope.
  assert.match(error ?? "", /"type":"MILLRACE_CRASH_LOOP"/);
  assert.equal(JSON.parse(error ?? "{}").v, 1);
  const again = await trial.claim();
  assert.deepEqual([again.tasks, again.crashed], [[], []]);
  assert.deepEqual(await trial.counts(), { dead: 1 });
}

function resetBy(kind: "retry" | "reschedule" | "hand-back"): BackendRule {
  return {
    name: `begins to count deliveries anew when a holder has reported back: ${kind} (I5)`,
    async check(trial) {
      await trial.keep("q:a", { maxDeliveries: 2 });
      await loseDeliveries(trial, 1);
      const lease = await trial.claimOne();
      assert.equal(lease.deliveries, 2);
      await trial.nack(lease, { kind });
      assert.equal((await trial.find("q:a")).deliveries, 0);
      assert.equal((await trial.claimBriefly()).deliveries, 1);
      await trial.expire();
      assert.equal((await trial.claimOne()).deliveries, 2);
    },
  };
}

/** Deliveries of which nobody reports back. */
export const CRASH_RULES: readonly BackendRule[] = [
  {
    name: "makes a task a dead letter, once, that would be delivered more often in a row than it may be (I5)",
    check: endsCrashLoop,
  },
  ...(["retry", "reschedule", "hand-back"] as const).map(resetBy),
  {
    name: "does not take an extension for the report of a holder",
    async check(trial) {
      await trial.keep("q:a", { maxDeliveries: 1 });
      const lease = await trial.claimOne();
      await trial.extend(lease, { leaseMs: trial.subject.leaseMs });
      await trial.expire();
      assert.deepEqual(
        (await trial.claim()).crashed.map(({ id }) => id),
        ["q:a"],
      );
    },
  },
  {
    name: "spends no slot, room or permits on what it makes a dead letter",
    async check(trial) {
      await trial.keep("q:a", { maxDeliveries: 1, priority: -1, cost: 5 });
      await loseDeliveries(trial, 1);
      await trial.keep("q:b");
      const one = [{ name: "work", lane: 0, room: 1 }];
      const { tasks, crashed } = await trial.claim({ handlers: one, slots: [1], permits: 1 });
      assert.deepEqual([tasks.map(({ id }) => id), crashed.map(({ id }) => id)], [["q:b"], ["q:a"]]);
    },
  },
];
