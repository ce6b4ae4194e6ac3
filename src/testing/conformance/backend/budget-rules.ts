import assert from "node:assert/strict";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";
import { handlers, newTask, newTasks } from "./stored-things.js";

const UNLIMITED = Number.POSITIVE_INFINITY;

async function fillsLanes(trial: BackendTrial): Promise<void> {
  await trial.enqueue(
    ...["q:1", "q:2", "q:3"].map((id) => newTask(id, { handler: "inline", priority: -1 })),
    ...["q:4", "q:5", "q:6"].map((id) => newTask(id, { handler: "thread" })),
  );
  const both = [
    { name: "inline", lane: 0, room: UNLIMITED },
    { name: "thread", lane: 1, room: UNLIMITED },
  ];
  const first = await trial.claim({ handlers: both, slots: [1, 2] });
  assert.deepEqual(
    first.tasks.map(({ id }) => id),
    ["q:1", "q:4", "q:5"],
  );
  assert.equal(first.stoppedAtCost, undefined);
  assert.deepEqual(await trial.claimIds({ handlers: both, slots: [0, 5] }), ["q:6"]);
  assert.deepEqual(await trial.claimIds({ handlers: both, slots: [5, 5] }), ["q:2", "q:3"]);
}

async function leavesRoom(trial: BackendTrial): Promise<void> {
  await trial.enqueue(
    ...["q:1", "q:2", "q:3"].map((id) => newTask(id, { handler: "narrow", priority: -1 })),
    ...["q:4", "q:5"].map((id) => newTask(id)),
  );
  const claim = (room: number) =>
    trial.claimIds({ handlers: [{ name: "narrow", lane: 0, room }, ...handlers("work")], slots: [3] });
  assert.deepEqual(await claim(1), ["q:1", "q:4", "q:5"]);
  assert.deepEqual(await claim(0), []);
  assert.deepEqual(await claim(2), ["q:2", "q:3"]);
}

async function spendsPermits(trial: BackendTrial): Promise<void> {
  await trial.enqueue(
    ...[newTask("q:1", { cost: 2 }), newTask("q:2", { cost: 5 }), newTask("q:3", { cost: 1 })],
  );
  const claim = async (permits: number) => {
    const { tasks, stoppedAtCost } = await trial.claim({ permits });
    return [tasks.map(({ id }) => id), stoppedAtCost];
  };
  assert.deepEqual(await claim(1), [[], 2]);
  assert.deepEqual(await claim(6.5), [["q:1"], 5]);
  assert.deepEqual(await claim(0), [[], 5]);
  assert.deepEqual(await claim(6), [["q:2", "q:3"], undefined]);
  assert.deepEqual(await claim(6), [[], undefined]);
}

/** Loses each delivery of a task that only handler `rare` runs, and lets others claim meanwhile. */
async function leavesOthersAlone(trial: BackendTrial): Promise<void> {
  const rare = handlers("rare");
  await trial.keep("q:rare", { handler: "rare", maxDeliveries: 1, priority: -1 });
  await trial.keep("q:work");
  assert.deepEqual(await trial.claimIds(), ["q:work"]);
  const { token } = await trial.claimBriefly({ handlers: rare });
  await trial.expire();
  const { tasks, crashed } = await trial.claim();
  assert.deepEqual([tasks, crashed], [[], []]);
  const { place, token: kept } = await trial.find("q:rare");
  assert(place !== "dead" && place !== "finished", `it is left for who has its handler, and not ${place}`);
  assert.equal(kept, token);
  assert.deepEqual(
    (await trial.claim({ handlers: rare })).crashed.map(({ id }) => id),
    ["q:rare"],
  );
}

/** What a claim takes. */
export const BUDGET_RULES: readonly BackendRule[] = [
  { name: "takes as many tasks as there are slots in the lane of their handler", check: fillsLanes },
  {
    name: "takes as many tasks of a handler as it has room for, and passes over the others",
    check: leavesRoom,
  },
  {
    name: "takes tasks as far as the permits go, stops at the first that costs more, and tells its cost",
    check: spendsPermits,
  },
  { name: "leaves the tasks of handlers alone that the claimant has not (D19)", check: leavesOthersAlone },
  {
    name: "says nothing of permits where it is slots that are wanting",
    async check(trial) {
      await trial.enqueue(...newTasks(3, { cost: 4 }));
      const { tasks, stoppedAtCost } = await trial.claim({ slots: [2], permits: 8 });
      assert.deepEqual([tasks.length, stoppedAtCost], [2, undefined]);
      const none = await trial.claim({ slots: [0], permits: 1 });
      assert.deepEqual([none.tasks, none.stoppedAtCost], [[], undefined]);
      const missing = await trial.claim({ slots: [], handlers: [] });
      assert.deepEqual(missing.tasks, []);
    },
  },
  {
    name: "takes nothing of another queue",
    async check(trial) {
      await trial.keep("other:a", { priority: -9 });
      await trial.keep("q:a");
      assert.deepEqual(await trial.claimIds(), ["q:a"]);
      assert.deepEqual(await trial.claimIds({ queue: "other" }), ["other:a"]);
    },
  },
  {
    name: "knows a handler by the whole of its name",
    async check(trial) {
      for (const handler of ["work", "Work", "work:2", "wor"]) await trial.keep(`q:${handler}`, { handler });
      assert.deepEqual(await trial.claimIds({ handlers: handlers("work") }), ["q:work"]);
      assert.deepEqual(await trial.claimIds({ handlers: handlers("wor", "work:2") }), ["q:work:2", "q:wor"]);
    },
  },
];
