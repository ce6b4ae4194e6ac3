import assert from "node:assert/strict";
import type { StoredPlace } from "../../../ports/backend-inspector.js";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";
import { newTask, newTasks, sameBytes } from "./stored-things.js";

const PLACES: readonly StoredPlace[] = ["ready", "delayed", "leased", "dead", "finished"];

const KEPT = { outcome: "kept", replaced: undefined };

async function givesWhatItKept(trial: BackendTrial): Promise<void> {
  const task = newTask("q:a", { priority: -3, weight: 7, cost: 2.5, envelope: "{ as it was }" });
  assert.deepEqual(await trial.enqueue(task), [KEPT]);
  const { payload, enqueuedAt, claimedAt, waitMs, token, ...rest } = await trial.claimOne();
  const { id, handler, envelope, priority, weight, cost } = task;
  assert.deepEqual(rest, {
    ...{ id, handler, envelope, priority, weight, cost },
    ...{ attempts: 0, deliveries: 1, replayedAt: undefined },
  });
  sameBytes(payload, task.payload);
  assert(Number.isSafeInteger(token) && token > 0, `a token is a whole number, not ${token}`);
  assert(enqueuedAt > Date.UTC(2020), `an instant is in milliseconds since the epoch, not ${enqueuedAt}`);
  assert(waitMs >= 0, "it has waited for a while");
  assert(claimedAt >= enqueuedAt, `it was claimed at ${claimedAt}, and enqueued at ${enqueuedAt}`);
}

async function leavesNothing(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a");
  const { enqueuedAt } = await trial.find("q:a");
  const lease = await trial.claimOne();
  assert.deepEqual(await trial.counts(), { leased: 1 });
  assert(await trial.ack(lease));
  assert.deepEqual(await trial.counts(), { finished: 1 });
  assert.deepEqual(await trial.claimIds(), []);
  const { place, payload, until, ...rest } = await trial.find("q:a");
  assert.deepEqual([place, payload, until], ["finished", undefined, undefined]);
  assert.deepEqual([rest.attempts, rest.enqueuedAt, rest.token], [1, enqueuedAt, lease.token]);
}

async function takesPartOfABatch(trial: BackendTrial): Promise<void> {
  await trial.keep("q:task-400");
  const tasks = [...newTasks(1_000), ...newTasks(3, {}, "other:task")];
  const answers = await trial.enqueue(...tasks);
  assert.deepEqual(
    answers,
    tasks.map(({ id }) => (id === "q:task-400" ? { outcome: "taken", id } : KEPT)),
  );
  assert.deepEqual([await trial.counts(), await trial.counts("other")], [{ ready: 1_000 }, { ready: 3 }]);
}

function takenWhere(place: StoredPlace): BackendRule {
  return {
    name: `says \`taken\` of the id of a task that is ${place}, and leaves that as it is (D6)`,
    async check(trial) {
      await trial.put("q:a", place);
      await trial.unchanged(["q:a"], async () => {
        const answers = await trial.enqueue(newTask("q:a", { priority: -5, payload: new Uint8Array(9) }));
        assert.deepEqual(answers, [{ outcome: "taken", id: "q:a" }]);
      });
    },
  };
}

function repeatedWhere(place: StoredPlace): BackendRule {
  return {
    name: `keeps nothing more when a call is made again whose task is ${place} (D6, I2)`,
    async check(trial) {
      const requestId = trial.requestId();
      const task = newTask("q:a", { delayMs: place === "delayed" ? 60_000 : 0 });
      const enqueue = async () => assert.deepEqual(await trial.backend.enqueue(requestId, [task]), [KEPT]);
      await enqueue();
      await trial.bring("q:a", place);
      await trial.unchanged(["q:a"], enqueue);
    },
  };
}

/** How tasks come in. */
export const ENQUEUE_RULES: readonly BackendRule[] = [
  { name: "gives a task to a claim as it was kept", check: givesWhatItKept },
  {
    name: "has no task any more that was acked, and only its outcome for a while (D1)",
    check: leavesNothing,
  },
  {
    name: "answers for each task of a batch in turn, whatever becomes of the others (D21)",
    check: takesPartOfABatch,
  },
  ...PLACES.map(takenWhere),
  ...PLACES.map(repeatedWhere),
  {
    name: "keeps an id that comes twice in one call once, the first",
    async check(trial) {
      const tasks = [newTask("q:a", { envelope: "first" }), newTask("q:a", { envelope: "second" })];
      const requestId = trial.requestId();
      for (let times = 0; times < 2; times++) {
        const answers = await trial.backend.enqueue(requestId, tasks);
        assert.deepEqual(answers, [KEPT, { outcome: "taken", id: "q:a" }]);
      }
      assert.equal((await trial.claimOne()).envelope, "first");
    },
  },
  {
    name: "answers nothing to a call about nothing",
    async check(trial) {
      const { backend } = trial;
      assert.deepEqual(await backend.enqueue(trial.requestId(), []), []);
      for (const call of ["ack", "nack", "deadLetter", "extend", "cancel"] as const)
        assert.deepEqual(await backend[call]([]), []);
      assert.deepEqual(await backend.inspector.read([]), []);
      assert.deepEqual(await backend.inspector.counts([]), []);
    },
  },
  {
    name: "knows nothing of what was never enqueued",
    async check(trial) {
      for (const id of ["q:nobody", "nobody", ":", "", "__proto__", "constructor"]) {
        assert.equal(await trial.read(id), undefined);
        assert.equal(await trial.cancel(id), "unknown");
        assert.equal(await trial.ack({ id, token: 1 }), false);
      }
      assert.deepEqual(await trial.counts("never"), {});
      const { tasks, nextDueMs, crashed, reclaimed, stoppedAtCost } = await trial.claim({ queue: "never" });
      assert.deepEqual(
        [tasks, nextDueMs, crashed, reclaimed, stoppedAtCost],
        [[], undefined, [], 0, undefined],
      );
    },
  },
  {
    name: "tells how long a task was there, and ready, by its own clock",
    async check(trial) {
      await trial.keep("q:a");
      await trial.pass(1);
      const { claimedAt, enqueuedAt, waitMs } = await trial.claimOne();
      const leastMs = trial.subject.leaseMs * 0.9;
      assert(waitMs >= leastMs, `it was ready for longer than ${waitMs} ms`);
      assert(claimedAt - enqueuedAt >= leastMs, `it was there for longer than ${claimedAt - enqueuedAt} ms`);
      assert.equal(enqueuedAt, (await trial.find("q:a")).enqueuedAt);
    },
  },
];
