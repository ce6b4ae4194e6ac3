import assert from "node:assert/strict";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { newTasks } from "./stored-things.js";

/** More than a call may deal with. */
const MANY = 250;
/** What is made ready by one call, at most. */
const STEPS = 100;

async function waitsForItsTime(trial: BackendTrial): Promise<void> {
  const { leaseMs } = trial.subject;
  await trial.keep("q:a", { delayMs: leaseMs });
  const { enqueuedAt, until, place } = await trial.find("q:a");
  assert.deepEqual([place, until], ["delayed", enqueuedAt + leaseMs]);
  const { tasks, nextDueMs } = await trial.claim();
  assert.deepEqual(tasks, []);
  assert(nextDueMs !== undefined && nextDueMs > 0 && nextDueMs <= leaseMs, `due in ${nextDueMs} ms`);
  await trial.passMs(nextDueMs * 1.1 + 2);
  assert.deepEqual(await trial.claimIds(), ["q:a"]);
}

async function waitsForAnInstant(trial: BackendTrial): Promise<void> {
  const { leaseMs } = trial.subject;
  await trial.keep("q:clock", { delayMs: LONG_MS });
  const { enqueuedAt: now } = await trial.find("q:clock");
  await trial.keep("q:past", { runAt: now - 1_000 });
  await trial.keep("q:both", { runAt: now - 1_000, delayMs: LONG_MS });
  await trial.keep("q:soon", { runAt: now + 2 * leaseMs });
  assert.equal((await trial.find("q:soon")).until, now + 2 * leaseMs);
  assert.deepEqual(await trial.claimIds(), ["q:past"]);
  await trial.pass(2.2);
  assert.deepEqual(await trial.claimIds(), ["q:soon"]);
}

async function waitsNoLongerThanItsLife(trial: BackendTrial): Promise<void> {
  const { leaseMs } = trial.subject;
  await trial.keep("q:clock", { delayMs: LONG_MS });
  const { enqueuedAt: now } = await trial.find("q:clock");
  const late = { delayMs: LONG_MS, runAt: now + LONG_MS };
  await trial.keep("q:over", { ...late, deadlineAt: now - 1_000 });
  assert.deepEqual(await trial.claimIds(), ["q:over"]);
  await trial.keep("q:ttl", { ...late, ttlMs: 2 * leaseMs });
  const { enqueuedAt, until } = await trial.find("q:ttl");
  assert.equal(until, enqueuedAt + 2 * leaseMs);
  await trial.keep("q:deadline", { ...late, ttlMs: LONG_MS, deadlineAt: now + 2 * leaseMs });
  assert.equal((await trial.find("q:deadline")).until, now + 2 * leaseMs);
  await trial.keep("q:long", { delayMs: LONG_MS, ttlMs: 2 * LONG_MS });
  await trial.pass(2.2);
  assert.deepEqual([...(await trial.claimIds())].sort(), ["q:deadline", "q:ttl"]);
}

/** Claims until nothing more is said to be due, and sees that each claim is bounded. */
export async function claimAllBounded(trial: BackendTrial): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let claims = 0; claims < MANY; claims++) {
    const { tasks, nextDueMs } = await trial.claim();
    assert(tasks.length <= STEPS, `${tasks.length} were made ready by one claim`);
    ids.push(...tasks.map(({ id }) => id));
    if (nextDueMs !== 0) return ids;
  }
  throw new assert.AssertionError({ message: "it said again and again that there is more" });
}

async function promotesInSteps(trial: BackendTrial): Promise<void> {
  const { leaseMs } = trial.subject;
  const tasks = newTasks(MANY, { delayMs: leaseMs });
  await trial.enqueue(...tasks);
  await trial.expire();
  const ids = await claimAllBounded(trial);
  assert.deepEqual(
    ids,
    tasks.map(({ id }) => id),
  );
}

async function ordersWhatFallsDue(trial: BackendTrial): Promise<void> {
  const { leaseMs } = trial.subject;
  await trial.keep("q:late", { delayMs: leaseMs });
  await trial.keep("q:early", { delayMs: leaseMs / 2 });
  await trial.keep("q:urgent", { delayMs: leaseMs, priority: -1 });
  await trial.keep("q:ready");
  await trial.expire();
  assert.deepEqual(await trial.claimIds(), ["q:urgent", "q:ready", "q:early", "q:late"]);
}

/** What waits for its time. */
export const DELAY_RULES: readonly BackendRule[] = [
  { name: "gives no delayed task away before its time, and says when that is", check: waitsForItsTime },
  {
    name: "gives no task away before its instant, or its delay, whichever is later",
    check: waitsForAnInstant,
  },
  { name: "makes a task ready by the end of its whole life", check: waitsNoLongerThanItsLife },
  {
    name: "makes all ready that are due at once, no more than a hundred in one call (D22)",
    check: promotesInSteps,
  },
  { name: "gives delayed tasks their place among others when they are due", check: ordersWhatFallsDue },
  {
    name: "leaves what is delayed where it is as long as that is delayed",
    async check(trial) {
      await trial.keep("q:a", { delayMs: LONG_MS });
      assert.deepEqual(await trial.claimIds(), []);
      assert.deepEqual(await trial.counts(), { delayed: 1 });
    },
  },
];
