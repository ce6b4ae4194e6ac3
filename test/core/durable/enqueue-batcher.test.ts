import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EnqueueBatcher } from "../../../src/core/durable/enqueue-batcher.js";
import type { EnqueueAnswer, NewTask } from "../../../src/ports/backend.js";
import { newTask } from "../../../src/testing/conformance/backend/stored-things.js";
import { ManualClock } from "../../../src/testing/index.js";
import { rejectionOf } from "../../support/manual-manager.js";

const taskOf = (id: string): NewTask => newTask(id);
const tasksOf = (count: number, name = "t") =>
  Array.from({ length: count }, (_, index) => taskOf(`${name}${index}`));
/** That of a store which tells by its answer which task it is about. */
const answerTo = ({ id }: NewTask): EnqueueAnswer => ({ outcome: "duplicate", id });

interface UnansweredCall {
  readonly requestId: string;
  readonly ids: readonly string[];
  readonly answer: () => void;
  readonly fail: (error: unknown) => void;
}

/** A batcher over a store that answers when it is told to. */
function createBatcher() {
  const clock = new ManualClock();
  const calls: UnansweredCall[] = [];
  const enqueue = (requestId: string, tasks: readonly NewTask[]) =>
    new Promise<readonly EnqueueAnswer[]>((resolve, fail) => {
      calls.push({
        requestId,
        ids: tasks.map(({ id }) => id),
        answer: () => resolve(tasks.map(answerTo)),
        fail,
      });
    });
  const state = { idle: 0 };
  const sizes = () => calls.map(({ ids }) => ids.length);
  return {
    batcher: new EnqueueBatcher({ enqueue }, clock, "p-", () => state.idle++),
    calls,
    clock,
    sizes,
    state,
  };
}

describe("EnqueueBatcher", () => {
  it("lets calls of one turn share a round trip, and gives each its own answers", async () => {
    const { batcher, calls, clock } = createBatcher();
    const both = Promise.all([batcher.enqueue([taskOf("a"), taskOf("b")]), batcher.enqueue([taskOf("c")])]);
    await clock.settle();
    expect(calls.map(({ ids }) => ids)).toEqual([["a", "b", "c"]]);
    calls[0]?.answer();
    expect(await both).toEqual([[taskOf("a"), taskOf("b")].map(answerTo), [answerTo(taskOf("c"))]]);
  });

  it("gives one alone its own answer, or the error that its call has met", async () => {
    const { batcher, calls, clock } = createBatcher();
    const told = [
      batcher.enqueue(tasksOf(2)),
      batcher.enqueueOne(taskOf("a")),
      batcher.enqueueOne(taskOf("b")),
    ];
    await clock.settle();
    expect(calls.map(({ ids }) => ids)).toEqual([["t0", "t1", "a", "b"]]);
    calls[0]?.answer();
    expect((await Promise.all(told)).slice(1)).toEqual([answerTo(taskOf("a")), answerTo(taskOf("b"))]);
    const refused = rejectionOf(batcher.enqueueOne(taskOf("c")));
    await clock.settle();
    calls[1]?.fail(new Error("full"));
    expect(await refused).toMatchObject({ message: "full" });
  });

  it("sends a batch that single ones have filled while a call is under way", async () => {
    const { batcher, clock, sizes } = createBatcher();
    void batcher.enqueueOne(taskOf("first"));
    await clock.settle();
    for (const task of tasksOf(1_000)) void batcher.enqueueOne(task);
    await clock.settle();
    expect(sizes()).toEqual([1, 1_000]);
  });

  it("sends what comes while a call is under way together, when that has been answered", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const told: Promise<unknown>[] = [];
    for (let turn = 0; turn < 20; turn++) {
      told.push(batcher.enqueue([taskOf(`${turn}`)]));
      await clock.settle();
    }
    expect(sizes()).toEqual([1]);
    calls[0]?.answer();
    await clock.settle();
    expect(sizes()).toEqual([1, 19]);
    calls[1]?.answer();
    await Promise.all(told);
    expect(clock.timers).toBe(0);
    expect(new Set(calls.map(({ requestId }) => requestId)).size).toBe(2);
  });

  it("sends a full batch while a call is under way, and never more than four at a time", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const told = [batcher.enqueue([taskOf("first")])];
    await clock.settle();
    for (let count = 0; count < 12; count++) told.push(batcher.enqueue(tasksOf(500, `${count}-`)));
    await clock.settle();
    expect(sizes()).toEqual([1, 1_000, 1_000, 1_000]);
    await clock.advance(1_000);
    calls[0]?.answer();
    await clock.settle();
    expect(sizes()).toEqual([1, 1_000, 1_000, 1_000, 1_000]);
    for (let answered = 1; answered < calls.length; answered++) {
      calls[answered]?.answer();
      await clock.settle();
    }
    expect((await Promise.all(told)).map(({ length }) => length)).toEqual([1, ...Array(12).fill(500)]);
  });

  it("lets nobody wait longer than a tenth of a second for a call that is not answered", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const hung = batcher.enqueue([taskOf("hung")]);
    await clock.advance(10);
    const next = batcher.enqueue([taskOf("next")]);
    await clock.advance(60);
    const last = batcher.enqueue([taskOf("last")]);
    await clock.advance(39);
    expect(sizes()).toEqual([1]);
    await clock.advance(2);
    expect(sizes()).toEqual([1, 2]);
    calls[1]?.answer();
    expect(await Promise.all([next, last])).toHaveLength(2);
    calls[0]?.answer();
    await hung;
    expect(clock.timers).toBe(0);
  });

  it("sends the tasks of one call in one, or in full ones where they are too many, in their order", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const counts = [900, 200, 2_500, 1];
    const told = counts.map((count) => batcher.enqueue(tasksOf(count, `${count}-`)));
    await clock.settle();
    expect(sizes()).toEqual([900, 200, 1_000, 1_000]);
    for (const { answer } of calls) answer();
    await clock.settle();
    expect(sizes()).toEqual([900, 200, 1_000, 1_000, 501]);
    calls[4]?.answer();
    const expected = counts.map((count) => tasksOf(count, `${count}-`).map(answerTo));
    expect(await Promise.all(told)).toEqual(expected);
  });

  it("sends no more than 8 MiB of one call at a time, unless one task is larger", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const told = batcher.enqueue(
      [3, 3, 3, 9, 1, 1].map((size, index) => {
        const payload = new Uint8Array(size * 1_024 * 1_024);
        return newTask(`t${index}`, { payload });
      }),
    );
    await clock.settle();
    expect(sizes()).toEqual([2, 1, 1]);
    for (const { answer } of calls) answer();
    await clock.settle();
    expect(sizes()).toEqual([2, 1, 1, 2]);
    calls[3]?.answer();
    expect(await told).toHaveLength(6);
  });

  it("tells of the failure of a part when all other parts are known", async () => {
    const { batcher, calls, clock } = createBatcher();
    let rejection: unknown;
    const told = batcher.enqueue(tasksOf(6_000)).catch((error: unknown) => {
      rejection = error;
    });
    await clock.settle();
    calls[1]?.fail(new Error("full"));
    await clock.settle();
    expect([calls.length, rejection]).toEqual([5, undefined]);
    for (let answered = 0; answered < calls.length; answered++) {
      calls[answered]?.answer();
      await clock.settle();
    }
    await told;
    expect(calls).toHaveLength(6);
    expect(rejection).toMatchObject({ message: "full" });
  });

  it("lets no call wait for more than 8 MiB of what others bring", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const payload = new Uint8Array(5 * 1_024 * 1_024);
    const told = ["a", "b"].map((id) => batcher.enqueue([newTask(id, { payload })]));
    told.push(batcher.enqueue([taskOf("small")]));
    await clock.settle();
    expect(sizes()).toEqual([1]);
    calls[0]?.answer();
    await clock.settle();
    expect(sizes()).toEqual([1, 2]);
    calls[1]?.answer();
    expect(await Promise.all(told)).toHaveLength(3);
  });

  it("tells a failure to those whose tasks were in the call, and to nobody else", async () => {
    const { batcher, calls, clock, state } = createBatcher();
    expect(batcher.busy).toBe(false);
    const lost = Promise.all([
      rejectionOf(batcher.enqueue([taskOf("a")])),
      rejectionOf(batcher.enqueue([taskOf("b")])),
    ]);
    await clock.settle();
    const fine = batcher.enqueue([taskOf("c")]);
    expect([batcher.busy, state.idle]).toEqual([true, 0]);
    const error = new Error("away");
    calls[0]?.fail(error);
    expect(await lost).toEqual([error, error]);
    await clock.settle();
    calls[1]?.answer();
    expect(await fine).toEqual([answerTo(taskOf("c"))]);
    expect([batcher.busy, state.idle]).toEqual([false, 1]);
  });

  it("sends nothing more once it has given up, and refuses what it has not sent", async () => {
    const { batcher, calls, clock, sizes } = createBatcher();
    const many = batcher.enqueue(tasksOf(9_000));
    void many.catch(() => {});
    await clock.settle();
    expect(sizes()).toEqual([1_000, 1_000, 1_000, 1_000]);
    const refusal = new Error("too late");
    batcher.giveUp(refusal);
    for (const call of [...calls]) call.answer();
    expect(await rejectionOf(many)).toBe(refusal);
    await clock.advance(1_000);
    expect(sizes()).toHaveLength(4);
    expect(batcher.busy).toBe(false);
  });

  it("a store that throws has failed, and the next call is made", async () => {
    const clock = new ManualClock();
    let isBroken = true;
    const enqueue = async (_: string, tasks: readonly NewTask[]) => tasks.map(answerTo);
    const broken = () => {
      throw new Error("broken");
    };
    const backend = {
      enqueue: (...given: Parameters<typeof enqueue>) => (isBroken ? broken : enqueue)(...given),
    };
    const batcher = new EnqueueBatcher(backend, clock, "p-", () => {});
    expect(await rejectionOf(batcher.enqueue([taskOf("a")]))).toMatchObject({ message: "broken" });
    isBroken = false;
    expect(await batcher.enqueue([taskOf("a")])).toHaveLength(1);
  });

  it("gives everybody exactly their answers, in whatever order calls are made and answered", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("enqueue" as const), count: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ kind: fc.constant("answer" as const), which: fc.nat(3), fails: fc.boolean() }),
      fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 150 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { batcher, calls, clock } = createBatcher();
        const unanswered: UnansweredCall[] = [];
        let taken = 0;
        const take = () => {
          for (; taken < calls.length; taken++) unanswered.push(calls[taken] as UnansweredCall);
          expect(unanswered.length).toBeLessThanOrEqual(4);
        };
        const told: Promise<unknown>[] = [];
        let failed = 0;
        for (const [number, given] of steps.entries()) {
          if (given.kind === "enqueue") {
            const tasks = tasksOf(given.count, `${number}-`);
            const answers = batcher.enqueue(tasks).catch((error: unknown) => error);
            told.push(
              answers.then((got) =>
                got instanceof Error ? failed++ : expect(got).toEqual(tasks.map(answerTo)),
              ),
            );
          } else if (given.kind === "wait") await clock.advance(given.ms);
          else {
            const [call] = unanswered.splice(given.which % Math.max(1, unanswered.length), 1);
            if (given.fails) call?.fail(new Error("away"));
            else call?.answer();
          }
          await clock.settle();
          take();
        }
        for (let call = unanswered.shift(); call !== undefined; call = unanswered.shift()) {
          call.answer();
          await clock.settle();
          take();
        }
        await Promise.all(told);
        const sent = calls.flatMap(({ ids }) => ids);
        expect(new Set(sent).size).toBe(sent.length);
        expect(failed === 0 || steps.some((given) => given.kind === "answer" && given.fails)).toBe(true);
        expect(clock.timers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
