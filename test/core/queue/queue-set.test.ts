import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LIMITED, PAUSED } from "../../../src/core/queue/gate.js";
import type { LaneGate } from "../../../src/core/queue/group.js";
import { QueueSet } from "../../../src/core/queue/queue-set.js";
import type { QueueShape } from "../../../src/core/queue/task-queue.js";
import { InvariantError } from "../../../src/errors.js";
import { toOrder } from "../../../src/task/order.js";
import { createTask } from "../../support/waiting-task.js";
import { Model, queueSetCommands, Real } from "./queue-set-model.js";

type Shares = Readonly<Record<string, number>>;

/** A lane that a test opens and closes. */
function createLane(index: number): LaneGate & { open: boolean } {
  return { index, open: true, reconsider() {} };
}

const OPEN: LaneGate = createLane(0);

function shapesOf(shares: Shares): ReadonlyMap<string, QueueShape> {
  const maxConcurrency = Number.POSITIVE_INFINITY;
  return new Map(Object.entries(shares).map(([name, share]) => [name, { share, maxConcurrency }]));
}

function createSet(shares: Shares = {}, strict = false) {
  const set = new QueueSet({ lanes: [OPEN], shapes: shapesOf(shares), strict });
  const push = (queue: string, count = 1) => {
    for (let index = 0; index < count; index++) set.push(createTask({ queue }), OPEN);
  };
  /** Takes one and lets it end at once. */
  const startOne = () => {
    const group = set.next();
    if (group === undefined) return undefined;
    set.take(group);
    set.ended(group);
    return group.queue.name;
  };
  const start = (count: number) => Array.from({ length: count }, startOne);
  const names = () => [...set.queues()].map(({ name }) => name);
  return { set, push, startOne, start, names };
}

describe("a queue set does what a flat list would do", () => {
  test.each([false, true])("whatever is done to it, strict: %s", (strict) => {
    fc.assert(
      fc.property(queueSetCommands, (commands) => {
        fc.modelRun(() => ({ model: new Model(strict), real: new Real(strict) }), commands);
      }),
      { numRuns: 300 },
    );
  });
});

describe("shares", () => {
  const shares = fc
    .array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 6 })
    .map((each) => Object.fromEntries(each.map((share, index) => [`q${index}`, share])));

  test("of queues that are always full are exact, at any moment, for any shares", () => {
    fc.assert(
      fc.property(shares, (each) => {
        const { push, startOne } = createSet(each);
        const total = Object.values(each).reduce((one, other) => one + other, 0);
        const starts = total * 20;
        for (const queue of Object.keys(each)) push(queue, starts);
        const queues = Object.entries(each).map(([queue, share]) => ({ queue, share, count: 0, waited: 0 }));
        let longestWait = 0;
        let farthestOff = 0;
        for (let start = 1; start <= starts; start++) {
          const chosen = startOne();
          for (const one of queues) {
            one.waited = one.queue === chosen ? 0 : one.waited + 1;
            if (one.queue === chosen) one.count++;
            longestWait = Math.max(longestWait, one.waited);
            farthestOff = Math.max(farthestOff, Math.abs(one.count - (start * one.share) / total));
          }
        }
        expect(longestWait).toBeLessThanOrEqual(total);
        // No queue is ever ahead or behind by as many starts as there are queues.
        expect(farthestOff).toBeLessThan(queues.length);
        for (const { share, count } of queues) expect(count).toBe(share * 20);
      }),
      { numRuns: 60 },
    );
  });

  test("come out exact where several of a queue are taken at a time, beside one that takes one", () => {
    fc.assert(
      fc.property(shares, fc.integer({ min: 2, max: 9 }), (each, atATime) => {
        const { set, push } = createSet(each);
        const total = Object.values(each).reduce((one, other) => one + other, 0);
        const starts = total * 30;
        const names = Object.keys(each);
        for (const queue of names) push(queue, starts);
        const counts = new Map(names.map((name) => [name, 0]));
        for (let start = 0; start < starts; ) {
          const group = set.next();
          if (group === undefined) break;
          const { name } = group.queue;
          for (let taken = 0; taken < (name === "q0" ? 1 : atATime); taken++, start++) {
            if (taken === 0) set.take(group);
            else set.takeOneMore(group);
            set.ended(group);
            counts.set(name, (counts.get(name) ?? 0) + 1);
          }
        }
        const sum = [...counts.values()].reduce((one, other) => one + other, 0);
        for (const [name, count] of counts) {
          const due = (sum * (each[name] ?? 0)) / total;
          expect(Math.abs(count - due), name).toBeLessThan(names.length * atATime);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("stay exact after a hundred million starts: virtual time has digits to spare", () => {
    const { set, push, start } = createSet({ six: 6, three: 3, one: 1 });
    const far = 1e8;
    for (const queue of set.queues()) queue.joinAt(far);
    for (const queue of ["six", "three", "one"]) push(queue, 1_000);
    const counts: Record<string, number> = { six: 0, three: 0, one: 0 };
    for (const queue of start(1_000)) counts[queue ?? ""] = (counts[queue ?? ""] ?? 0) + 1;
    expect(counts["six"]).toBeGreaterThanOrEqual(599);
    expect(counts["three"]).toBeGreaterThanOrEqual(299);
    expect(counts["one"]).toBeGreaterThanOrEqual(99);
  });

  test("are not owed to a queue that had nothing: it goes on beside the others at once", () => {
    const { push, start } = createSet({ old: 1, late: 1 });
    push("old", 1_000);
    start(500);
    push("late", 500);
    expect(start(10).filter((queue) => queue === "late")).toHaveLength(5);
  });

  test("do not let a queue that comes back pass one that is due at the same time", () => {
    const { push, startOne } = createSet({ a: 1, b: 1, back: 1 });
    for (const queue of ["a", "b"]) push(queue, 10);
    for (let start = 0; start < 7; start++) startOne();
    push("back");
    expect([startOne(), startOne(), startOne()]).toEqual(["b", "back", "a"]);
  });

  test("that a queue used early are still counted when it was empty in between", () => {
    const { push, startOne } = createSet({ slow: 1, fast: 10 });
    push("fast", 1_000);
    let slow = 0;
    for (let start = 0; start < 110; start++) {
      // The slow one is empty after each of its turns, and has another task at the next.
      push("slow");
      if (startOne() === "slow") slow++;
    }
    expect(slow).toBeLessThanOrEqual(11);
  });
});

describe("a queue that no option names", () => {
  test("is known from its first task to the end of its last", () => {
    const { set, push, names } = createSet({ fixed: 1 });
    push("once");
    expect(names()).toEqual(["fixed", "once"]);
    const group = set.next();
    if (group === undefined) return expect.unreachable("a task waits");
    set.take(group);
    expect(names()).toEqual(["fixed", "once"]);
    set.ended(group);
    expect(names()).toEqual(["fixed"]);
  });

  test("is kept until the others have had the turns that it took early, and then forgotten", () => {
    const { push, start, names } = createSet({ fixed: 2 });
    push("fixed", 10);
    push("once");
    start(2);
    expect(names()).toEqual(["fixed", "once"]);
    start(2);
    expect(names()).toEqual(["fixed"]);
  });

  test("is kept while it is paused, and forgotten when it is opened", () => {
    const { set, names } = createSet();
    set.queue("paused").close(PAUSED);
    expect(names()).toEqual(["paused"]);
    set.open(set.queue("paused"), PAUSED);
    expect(names()).toEqual([]);
  });

  test("is not forgotten in place of one of the same name that was made since", () => {
    const { set, push, names } = createSet();
    push("again");
    const first = set.queue("again");
    first.close(LIMITED);
    set.next()?.head?.place?.remove(createTask());
    const head = first.groups[0]?.head;
    head?.place?.remove(head);
    expect(names()).toEqual([]);
    push("again");
    set.open(first, LIMITED); // its alarm rings late
    expect(set.known("again")).toBeDefined();
    expect(set.known("again")).not.toBe(first);
    expect(set.next()?.queue).toBe(set.known("again"));
  });

  test("costs nothing once it is gone: ten thousand names leave none", () => {
    const { push, startOne, names } = createSet({ fixed: 1 });
    for (let index = 0; index < 10_000; index++) {
      push(`name-${index}`);
      startOne();
    }
    expect(names()).toEqual(["fixed"]);
  });
});

describe("several lanes", () => {
  function createLanes() {
    const lanes = [createLane(0), createLane(1)] as const;
    const shapes = shapesOf({ one: 1, other: 1 });
    return { lanes, set: new QueueSet({ lanes, shapes, strict: false }) };
  }

  test("a queue's best task goes first, whichever lane it starts in", () => {
    const { lanes, set } = createLanes();
    const tasks = [3, 1, 2].map((priority) => createTask({ queue: "one", priority }));
    tasks.forEach((task, index) => {
      set.push(task, index === 1 ? lanes[1] : lanes[0]);
    });
    expect(set.next()?.head?.priority).toBe(1);
    lanes[1].open = false;
    expect(set.next()?.head?.priority).toBe(2);
  });

  test("of equals in two lanes the one that arrived first goes first", () => {
    const { lanes, set } = createLanes();
    const first = createTask({ queue: "one" });
    set.push(first, lanes[1]);
    set.push(createTask({ queue: "one" }), lanes[0]);
    expect(set.next()?.head).toBe(first);
  });

  test("a lane that was closed for long does not catch up", () => {
    const { lanes, set } = createLanes();
    for (let index = 0; index < 300; index++) {
      set.push(createTask({ queue: "one" }), lanes[0]);
      set.push(createTask({ queue: "other" }), lanes[1]);
    }
    const take = () => {
      const group = set.next();
      if (group !== undefined) set.take(group);
      return group?.queue.name;
    };
    lanes[1].open = false;
    for (let start = 0; start < 100; start++) expect(take()).toBe("one");
    lanes[1].open = true;
    const next = Array.from({ length: 20 }, take);
    expect(next.filter((name) => name === "other").length).toBeLessThanOrEqual(11);
  });
});

describe("rules that only a bug can break", () => {
  test("a group without a head cannot be taken from", () => {
    const { set, push } = createSet();
    push("a");
    const group = set.next();
    if (group === undefined) return expect.unreachable("a task waits");
    set.take(group);
    expect(() => set.take(group)).toThrow(InvariantError);
  });

  test("no more tasks end than were taken", () => {
    const { set, push } = createSet();
    push("a");
    const group = set.next();
    if (group === undefined) return expect.unreachable("a task waits");
    expect(() => set.ended(group)).toThrow("only a queue with running tasks can see one end");
  });
});

test("a limited queue opens when its head changes, and stays closed when another of its tasks does", () => {
  const { set } = createSet();
  const [head, second] = [createTask({ priority: 0 }), createTask({ priority: 1 })];
  for (const task of [head, second]) set.push(task, OPEN);
  const queue = set.queue("default");
  queue.close(LIMITED);
  expect(set.next()).toBeUndefined();
  set.push(createTask({ priority: 5 }), OPEN);
  expect(set.next()).toBeUndefined();
  const urgent = createTask({ priority: -1 });
  set.push(urgent, OPEN);
  expect(set.next()?.head).toBe(urgent);
  queue.close(LIMITED);
  urgent.order = toOrder(9, 1);
  urgent.place?.reorder(urgent);
  expect(set.next()?.head).toBe(head);
  queue.close(LIMITED);
  head.place?.remove(head);
  expect(set.next()?.head).toBe(second);
});
