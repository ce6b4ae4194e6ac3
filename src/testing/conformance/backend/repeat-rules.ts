import assert from "node:assert/strict";
import type { ClaimedTask, Lease, NackKind } from "../../../ports/backend.js";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { completed } from "./stored-things.js";

async function claimsOnce(trial: BackendTrial): Promise<void> {
  await trial.keepInTurn("q:a", "q:b", "q:c");
  const request = trial.toRequest({ slots: [2] });
  const first = await trial.backend.claim(request);
  assert.deepEqual(
    first.tasks.map(({ id }) => id),
    ["q:a", "q:b"],
  );
  await trial.unchanged(["q:a", "q:b", "q:c"], async () => {
    const again = await trial.backend.claim(request);
    assert.deepEqual(timeless(again.tasks), timeless(first.tasks));
    const elsewhere = await (await trial.connect()).claim(request);
    assert.deepEqual(timeless(elsewhere.tasks), timeless(first.tasks));
  });
  assert.deepEqual(await trial.claimIds(), ["q:c"]);
}

async function claimsWhatIsHeld(trial: BackendTrial): Promise<void> {
  await trial.keepInTurn("q:acked", "q:back", "q:kept", "q:lost");
  const request = trial.toRequest();
  const { tasks } = await trial.backend.claim(request);
  const [acked, back, kept, lost] = tasks;
  assert(acked && back && kept && lost);
  await trial.ack(acked);
  await trial.nack(back);
  await trial.extend(lost, { leaseMs: trial.subject.leaseMs });
  await trial.expire();
  assert.deepEqual(await trial.claimIds(), ["q:back", "q:lost"]);
  await trial.unchanged(["q:acked", "q:back", "q:kept", "q:lost"], async () => {
    const again = await trial.backend.claim(request);
    assert.deepEqual(timeless(again.tasks), timeless([kept]));
    const laterByMs = (again.tasks[0]?.claimedAt ?? 0) - kept.claimedAt;
    assert(laterByMs >= trial.subject.leaseMs * 0.9, `it was answered ${laterByMs} ms later`);
  });
}

/** But for the time of the answer, which is another one each time. */
function timeless(tasks: readonly ClaimedTask[]): readonly Omit<ClaimedTask, "claimedAt">[] {
  return tasks.map(({ claimedAt: _, ...rest }) => rest);
}

function endsOnce(what: string, write: (trial: BackendTrial, lease: Lease) => Promise<boolean>): BackendRule {
  return {
    name: `says of ${what} that is made again that it is done, and changes nothing more`,
    async check(trial) {
      const lease = await trial.put("q:a", "leased");
      assert.equal(await write(trial, lease), true);
      for (let times = 0; times < 2; times++)
        await trial.unchanged(["q:a"], async () => assert.equal(await write(trial, lease), true));
    },
  };
}

function givesBackOnce(kind: NackKind): BackendRule {
  return {
    name: `refuses a nack that is made again where the task was claimed since: ${kind}`,
    async check(trial) {
      const lease = await trial.put("q:a", "leased");
      const nack = () => trial.nack(lease, { kind });
      assert.equal(await nack(), true);
      const since = await trial.claimOne();
      await trial.unchanged(["q:a"], async () => assert.equal(await nack(), false));
      assert.equal(await trial.ack(since), true);
      await trial.unchanged(["q:a"], async () => assert.equal(await nack(), false));
    },
  };
}

/** Calls that are made again, since nobody knows whether they were executed. */
export const REPEAT_RULES: readonly BackendRule[] = [
  { name: "gives the same leases, and no others, to a claim that is made again", check: claimsOnce },
  { name: "gives those leases to a claim that is made again that are still held", check: claimsWhatIsHeld },
  {
    name: "gives no leases to a claim that is made again and came to nothing before",
    async check(trial) {
      const request = trial.toRequest();
      assert.deepEqual((await trial.backend.claim(request)).tasks, []);
      await trial.keep("q:a");
      await trial.unchanged(["q:a"], async () => {
        assert.deepEqual((await trial.backend.claim(request)).tasks, []);
      });
      assert.deepEqual(await trial.claimIds(), ["q:a"]);
    },
  },
  endsOnce("an ack", (trial, lease) => trial.ack(lease, { outcome: completed(new Uint8Array([1])) })),
  endsOnce("a deadLetter", (trial, lease) => trial.bury(lease)),
  endsOnce("a nack to retry", (trial, lease) => trial.nack(lease, { kind: "retry", error: "{}" })),
  endsOnce("a nack to retry later", (trial, lease) => trial.nack(lease, { kind: "retry", delayMs: LONG_MS })),
  endsOnce("a nack to reschedule", (trial, lease) => trial.nack(lease, { kind: "reschedule" })),
  endsOnce("a nack to hand back", (trial, lease) => trial.nack(lease)),
  ...(["retry", "reschedule", "hand-back"] as const).map(givesBackOnce),
  {
    name: "does a batch once that is made again",
    async check(trial) {
      const ids = Array.from({ length: 50 }, (_, index) => `q:${index}`);
      await trial.keepInTurn(...ids);
      const { tasks } = await trial.claim();
      const ends = tasks.map(({ id, token }) => ({ id, token, outcome: completed(), resultTtlMs: LONG_MS }));
      const twice = await Promise.all([trial.backend.ack(ends), (await trial.connect()).ack(ends)]);
      assert.deepEqual(twice, [ids.map(() => true), ids.map(() => true)]);
      assert.deepEqual(await trial.counts(), { finished: 50 });
      assert((await trial.backend.inspector.read(ids)).every((task) => task?.attempts === 1));
    },
  },
];
