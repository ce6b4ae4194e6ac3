import assert from "node:assert/strict";
import type { NewTask } from "../../../ports/backend.js";
import { seededRandom } from "../../seeded-random.js";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { handlers, newTask } from "./stored-things.js";

const HANDLERS = ["work", "b", "a:b"];

async function ordersAtRandom(trial: BackendTrial): Promise<void> {
  const random = seededRandom(7);
  const one = <V>(...values: readonly V[]): V => values[Math.floor(random.next() * values.length)] as V;
  const tasks = Array.from({ length: 200 }, (_, index) =>
    newTask(`q:${index % 10}-${index}`, {
      ...{ priority: one(-1_000_000, -1, 0, 1, 1_000_000), weight: one(1, 2, 999, 1_000) },
      handler: one(...HANDLERS),
    }),
  );
  for (let first = 0; first < tasks.length; first += 23)
    await trial.enqueue(...tasks.slice(first, first + 23));
  const claimed: string[] = [];
  while (claimed.length < tasks.length) {
    const ids = await trial.claimIds({ handlers: handlers(...HANDLERS), slots: [7] });
    assert(ids.length > 0, "there is more to be claimed");
    claimed.push(...ids);
  }
  // Sorting is stable: who came first goes first among equals.
  const sorted = [...tasks].sort((a, b) => a.priority - b.priority || b.weight - a.weight);
  assert.deepEqual(claimed, idsOf(sorted));
}

async function keepsOrderOfArrival(trial: BackendTrial): Promise<void> {
  const tasks = Array.from({ length: 1_100 }, (_, index) =>
    newTask(`q:${(index * 7919) % 1_100}`, { handler: HANDLERS[index % 3] as string }),
  );
  for (let first = 0; first < tasks.length; first += 100)
    await trial.enqueue(...tasks.slice(first, first + 100));
  const claimed = await trial.claimIds({ handlers: handlers(...HANDLERS) });
  assert.deepEqual(claimed, idsOf(tasks));
}

function idsOf(tasks: readonly NewTask[]): readonly string[] {
  return tasks.map(({ id }) => id);
}

/** The first of three is claimed and comes back, and a fourth comes meanwhile. */
async function comesBack(
  trial: BackendTrial,
  giveBack: (lease: { id: string; token: number }) => Promise<unknown>,
): Promise<readonly string[]> {
  await trial.keepInTurn("q:1", "q:2", "q:3");
  const lease = await trial.claimBriefly({ slots: [1] });
  assert.equal(lease.id, "q:1");
  await trial.keep("q:4");
  await giveBack(lease);
  return await trial.claimIds();
}

const IN_PLACE = ["q:1", "q:2", "q:3", "q:4"];
const BEHIND = ["q:2", "q:3", "q:4", "q:1"];

/** Who goes first. */
export const ORDER_RULES: readonly BackendRule[] = [
  {
    name: "gives tasks away by priority, then weight, then arrival, whatever their handlers (I12)",
    check: ordersAtRandom,
  },
  {
    name: "gives equals away in the order of their arrival, across calls and handlers (I12)",
    check: keepsOrderOfArrival,
  },
  {
    name: "lets priority outweigh any weight",
    async check(trial) {
      await trial.keep("q:heavy", { priority: 1, weight: 1_000 });
      await trial.keep("q:light", { priority: 0, weight: 1 });
      assert.deepEqual(await trial.claimIds(), ["q:light", "q:heavy"]);
    },
  },
  {
    name: "lets a task keep its place among equals when it is retried",
    async check(trial) {
      const ids = await comesBack(trial, (lease) => trial.nack(lease, { kind: "retry" }));
      assert.deepEqual(ids, IN_PLACE);
    },
  },
  {
    name: "lets a task keep its place among equals when it is retried after a delay",
    async check(trial) {
      const { leaseMs } = trial.subject;
      const ids = await comesBack(trial, async (lease) => {
        await trial.nack(lease, { kind: "retry", delayMs: leaseMs / 2 });
        await trial.expire();
      });
      assert.deepEqual(ids, IN_PLACE);
    },
  },
  {
    name: "lets a task keep its place among equals when it is handed back",
    async check(trial) {
      const ids = await comesBack(trial, (lease) => trial.nack(lease, { kind: "hand-back" }));
      assert.deepEqual(ids, IN_PLACE);
    },
  },
  {
    name: "lets a task keep its place among equals when its lease expires",
    async check(trial) {
      assert.deepEqual(await comesBack(trial, () => trial.expire()), IN_PLACE);
    },
  },
  {
    name: "gives a task that is rescheduled its place anew",
    async check(trial) {
      const ids = await comesBack(trial, (lease) => trial.nack(lease, { kind: "reschedule" }));
      assert.deepEqual(ids, BEHIND);
    },
  },
  {
    name: "gives a task that is rescheduled its place when it is due",
    async check(trial) {
      const { leaseMs } = trial.subject;
      const ids = await comesBack(trial, async (lease) => {
        await trial.nack(lease, { kind: "reschedule", delayMs: leaseMs / 2 });
        await trial.keep("q:5", { delayMs: LONG_MS });
        await trial.expire();
      });
      assert.deepEqual(ids, BEHIND);
    },
  },
];
