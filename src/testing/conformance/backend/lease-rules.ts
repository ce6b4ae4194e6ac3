import assert from "node:assert/strict";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { claimAllBounded } from "./delay-rules.js";
import { newTasks, sameBytes } from "./stored-things.js";

async function leasesOnce(trial: BackendTrial): Promise<void> {
  const tasks = newTasks(60);
  await trial.enqueue(...tasks);
  const clients = [trial.backend, await trial.connect(), await trial.connect()];
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) => trial.claim({ by: clients[index % 3], slots: [7] })),
  );
  const ids = answers.flatMap(({ tasks }) => tasks.map(({ id }) => id));
  assert.deepEqual([...ids].sort(), tasks.map(({ id }) => id).sort());
  assert.deepEqual(await trial.counts(), { leased: 60 });
}

async function redelivers(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a");
  const first = await trial.claimBriefly();
  await trial.pass(0.3);
  assert.deepEqual((await trial.claim()).tasks, []);
  await trial.expire();
  const { tasks, reclaimed } = await trial.claim({ by: await trial.connect() });
  const [second] = tasks;
  assert(second !== undefined && reclaimed === 1, `${tasks.length} were claimed, ${reclaimed} reclaimed`);
  assert(second.token > first.token, `${second.token} is larger than ${first.token}`);
  assert.deepEqual([second.attempts, second.deliveries], [0, 2]);
  sameBytes(second.payload, first.payload);
  assert.equal((await trial.claim()).reclaimed, 0);
}

async function givesLargerTokens(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a");
  const { enqueuedAt } = await trial.find("q:a");
  let last = enqueuedAt * 1_000 - 1;
  for (const kind of ["hand-back", "retry", "reschedule", "hand-back", "hand-back"] as const) {
    const lease = await trial.claimOne();
    assert(Number.isSafeInteger(lease.token) && lease.token > last, `${lease.token} is larger than ${last}`);
    assert.equal((await trial.find("q:a")).token, lease.token);
    last = lease.token;
    await trial.nack(lease, { kind });
  }
}

async function reclaimsInSteps(trial: BackendTrial): Promise<void> {
  const tasks = newTasks(250);
  await trial.enqueue(...tasks);
  const first = await trial.claim({ leaseMs: trial.subject.leaseMs });
  assert.equal(first.tasks.length, 250);
  await trial.expire();
  const ids = await claimAllBounded(trial);
  assert.deepEqual([...ids].sort(), tasks.map(({ id }) => id).sort());
}

async function reportsProgress(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a");
  assert.equal((await trial.find("q:a")).progress, undefined);
  const lease = await trial.claimOne();
  await trial.extend(lease, { progress: new Uint8Array([1, 2]) });
  await trial.extend(lease);
  sameBytes((await trial.find("q:a")).progress, new Uint8Array([1, 2]));
  await trial.extend(lease, { progress: new Uint8Array([3]) });
  sameBytes((await trial.find("q:a")).progress, new Uint8Array([3]));
}

/** Who may run a task, and for how long. */
export const LEASE_RULES: readonly BackendRule[] = [
  { name: "leases a task to one claim only, however many come at once (I3)", check: leasesOnce },
  { name: "gives a task to another when its lease has expired, and not before (D2)", check: redelivers },
  {
    name: "gives each lease a token larger than any before, no less than its time in µs (I4)",
    check: givesLargerTokens,
  },
  {
    name: "gives back all that has expired at once, no more than a hundred in one call",
    check: reclaimsInSteps,
  },
  { name: "keeps the last progress that a holder told", check: reportsProgress },
  {
    name: "lets a lease that is extended live on",
    async check(trial) {
      await trial.keep("q:a");
      const lease = await trial.claimBriefly();
      for (let times = 0; times < 3; times++) {
        await trial.pass(0.6);
        const answer = await trial.extend(lease, { leaseMs: trial.subject.leaseMs });
        assert.deepEqual(answer, { held: true, cancel: undefined });
        assert.deepEqual(await trial.claimIds(), []);
      }
      assert(await trial.ack(lease));
    },
  },
  {
    name: "lets a lease end that is extended to end sooner",
    async check(trial) {
      await trial.keep("q:a");
      const lease = await trial.claimOne();
      await trial.extend(lease, { leaseMs: trial.subject.leaseMs });
      await trial.expire();
      assert.deepEqual(await trial.claimIds(), ["q:a"]);
      assert.deepEqual(await trial.extend(lease), { held: false, cancel: undefined });
    },
  },
  {
    name: "lets a lease live on that has expired, where nobody has come for it",
    async check(trial) {
      await trial.keep("q:a");
      const lease = await trial.claimBriefly();
      await trial.expire();
      assert.equal((await trial.extend(lease)).held, true);
      assert.deepEqual(await trial.claimIds(), []);
      assert(await trial.ack(lease));
    },
  },
  {
    name: "takes the end of a task whose lease has expired, where nobody has come for it",
    async check(trial) {
      await trial.keep("q:a");
      const lease = await trial.claimBriefly();
      await trial.expire();
      assert(await trial.ack(lease));
      assert.deepEqual([await trial.placeOf("q:a"), await trial.claimIds()], ["finished", []]);
    },
  },
  {
    name: "says how long it is until a lease expires, and nothing where nothing is to come",
    async check(trial) {
      const { leaseMs } = trial.subject;
      await trial.keep("q:a");
      const { tasks, nextDueMs } = await trial.claim({ leaseMs });
      assert(nextDueMs !== undefined && nextDueMs > 0 && nextDueMs <= leaseMs, `due in ${nextDueMs} ms`);
      assert.equal((await trial.find("q:a")).place, "leased");
      for (const lease of tasks) await trial.ack(lease);
      assert.equal((await trial.claim()).nextDueMs, undefined);
    },
  },
  {
    name: "tells until when a task is leased",
    async check(trial) {
      await trial.keep("q:a");
      const { enqueuedAt } = await trial.find("q:a");
      assert.equal((await trial.find("q:a")).until, undefined);
      await trial.claimOne({ leaseMs: LONG_MS });
      const { until = 0 } = await trial.find("q:a");
      assert(until >= enqueuedAt + LONG_MS && until < enqueuedAt + 2 * LONG_MS, `until ${until}`);
    },
  },
];
