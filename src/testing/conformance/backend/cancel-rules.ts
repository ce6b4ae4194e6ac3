import assert from "node:assert/strict";
import type { Lease } from "../../../ports/backend.js";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";
import { completed, STORED_ERROR } from "./stored-things.js";

const WANTED = '{"because":"it is wanted"}';

function cancelsWhere(place: "ready" | "delayed"): BackendRule {
  return {
    name: `ends a task at once that is cancelled while it is ${place} (C1, C10)`,
    async check(trial) {
      await trial.put("q:a", place);
      assert.equal(await trial.cancel("q:a", WANTED), "cancelled");
      const { place: where, attempts, outcome } = await trial.find("q:a");
      assert.deepEqual([where, attempts], ["finished", 0]);
      assert.deepEqual(outcome, {
        ...{ state: "cancelled", reason: "cancelled", value: undefined, error: WANTED, charged: false },
      });
      assert.deepEqual([await trial.claimIds(), await trial.counts()], [[], { finished: 1 }]);
      await trial.unchanged(["q:a"], async () => assert.equal(await trial.cancel("q:a"), "ended"));
    },
  };
}

function leavesWhere(place: "dead" | "finished"): BackendRule {
  return {
    name: `leaves a task alone that is ${place} when it is to be cancelled (C1)`,
    async check(trial) {
      await trial.put("q:a", place);
      await trial.unchanged(["q:a"], async () => assert.equal(await trial.cancel("q:a"), "ended"));
    },
  };
}

/** A task whose holder does something else than to end it, when somebody wants it to be cancelled. */
function endsAfter(what: string, act: (trial: BackendTrial, lease: Lease) => Promise<unknown>): BackendRule {
  return {
    name: `gives a task to nobody again that was to be cancelled, and whose holder ${what} (C10)`,
    async check(trial) {
      await trial.keep("q:a");
      const lease = await trial.claimBriefly();
      assert.equal(await trial.cancel("q:a", WANTED), "asked");
      await act(trial, lease);
      const { tasks, crashed } = await trial.claim();
      assert.deepEqual([tasks, crashed], [[], []]);
      const { place, outcome } = await trial.find("q:a");
      assert.deepEqual([place, outcome?.state, outcome?.error], ["finished", "cancelled", WANTED]);
      assert.deepEqual(await trial.counts(), { finished: 1 });
    },
  };
}

async function asksTheHolder(trial: BackendTrial): Promise<void> {
  await trial.keepInTurn("q:a", "q:b");
  const [a, b] = (await trial.claim()).tasks;
  assert(a && b);
  const other = await trial.connect();
  const ask = async (error: string) =>
    assert.deepEqual(await other.cancel([{ id: "q:a", error, resultTtlMs: 60_000 }]), ["asked"]);
  await ask(WANTED);
  await ask(STORED_ERROR);
  assert.deepEqual(await trial.extend(a), { held: true, cancel: WANTED });
  assert.deepEqual(await trial.extend(b), { held: true, cancel: undefined });
  assert(await trial.ack(a, { outcome: completed() }), "its holder decides what it comes to");
  assert.equal((await trial.find("q:a")).outcome?.state, "completed");
}

/** What nobody wants any more. */
export const CANCEL_RULES: readonly BackendRule[] = [
  ...(["ready", "delayed"] as const).map(cancelsWhere),
  ...(["dead", "finished"] as const).map(leavesWhere),
  {
    name: "tells the holder of a task that it is to be cancelled, with the first reason (C10)",
    check: asksTheHolder,
  },
  endsAfter("lets its lease expire", (trial) => trial.expire()),
  endsAfter("hands it back", (trial, lease) => trial.nack(lease)),
  endsAfter("wants to retry it", (trial, lease) => trial.nack(lease, { kind: "retry", delayMs: 60_000 })),
  {
    name: "forgets that a task was to be cancelled when it has ended otherwise",
    async check(trial) {
      const lease = await trial.put("q:a", "leased");
      await trial.cancel("q:a", WANTED);
      await trial.bury(lease);
      const request = { queue: "q", ids: undefined, handler: undefined, reason: undefined };
      await trial.backend.inspector.replay(request);
      const again = await trial.claimOne();
      assert.deepEqual(await trial.extend(again), { held: true, cancel: undefined });
      assert(await trial.nack(again));
      assert.deepEqual(await trial.claimIds(), ["q:a"]);
    },
  },
  {
    name: "answers for each cancellation of a batch in turn",
    async check(trial) {
      await trial.put("q:leased", "leased");
      await trial.put("q:ready", "ready");
      await trial.keep("other:a", { delayMs: 60_000 });
      const ids = ["q:leased", "q:nobody", "other:a", "q:ready", "nowhere:a"];
      const asked = ids.map((id) => ({ id, error: WANTED, resultTtlMs: 60_000 }));
      assert.deepEqual(await trial.backend.cancel(asked), [
        ...["asked", "unknown", "cancelled", "cancelled", "unknown"],
      ]);
    },
  },
  {
    name: "lets a task that is cancelled make room for what waits behind it",
    async check(trial) {
      await trial.keepInTurn("q:a", "q:b", "q:c");
      await trial.cancel("q:b");
      await trial.cancel("q:a");
      assert.deepEqual(await trial.claimIds(), ["q:c"]);
    },
  },
];
