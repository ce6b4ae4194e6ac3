import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AttemptChain } from "../../../src/core/events/attempt-chain.js";
import { MiddlewareError } from "../../../src/errors.js";
import type { AttemptMiddleware } from "../../../src/task/middleware.js";
import type { Outcome } from "../../../src/task/outcome.js";
import type { TaskContext } from "../../../src/task/task-context.js";
import { Stubborn } from "../../support/observed-manager.js";

const context = { id: "one" } as TaskContext;

function chainOf(...attempts: AttemptMiddleware[]): AttemptChain {
  return new AttemptChain(attempts.map((attempt, index) => ({ name: `layer ${index}`, attempt })));
}

/** What the outcome is by now; undefined while it is open. */
function watchOutcome(outcome: Promise<Outcome>): () => Promise<Outcome | undefined> {
  let seen: Outcome | undefined;
  void outcome.then((ended) => {
    seen = ended;
  });
  return async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return seen;
  };
}

describe("AttemptChain", () => {
  it("passes an attempt from the first layer to the last and back", async () => {
    const seen: string[] = [];
    const layer =
      (name: string): AttemptMiddleware =>
      async (given, next) => {
        expect(given).toBe(context);
        seen.push(`${name} before`);
        const value = await next();
        seen.push(`${name} after`);
        return `${name}(${value})`;
      };
    const chain = chainOf(layer("a"), layer("b"));
    const outcome = await chain.run(context, async () => {
      seen.push("handler");
      return "value";
    });
    expect(outcome).toEqual({ returned: true, value: "a(b(value))" });
    expect(seen).toEqual(["a before", "b before", "handler", "b after", "a after"]);
  });

  it("gives what a layer returns or throws at once, and does not run the rest", async () => {
    const rest = () => expect.unreachable("the handler was run");
    const thrown = { any: "thing" };
    expect(await chainOf(() => 5).run(context, rest)).toEqual({ returned: true, value: 5 });
    const throwing = chainOf(() => {
      throw thrown;
    });
    const outcome = await throwing.run(context, rest);
    expect(outcome).toEqual({ returned: false, thrown });
    expect(outcome.returned || outcome.thrown).toBe(thrown);
  });

  it("lets a layer put an outcome in the place of what the handler threw, and pass it on as it is", async () => {
    const thrown = new Error("by the handler");
    const handler = () => Promise.reject(thrown);
    const mending = chainOf((_, next) => next().catch(() => "mended"));
    expect(await mending.run(context, handler)).toEqual({ returned: true, value: "mended" });
    const passing = chainOf((_, next) => next());
    expect(await passing.run(context, handler)).toEqual({ returned: false, thrown });
  });

  it("refuses a second next, and runs the rest once", async () => {
    let runs = 0;
    const refused: unknown[] = [];
    const chain = chainOf(async (_, next) => {
      const first = next();
      await next().catch((error: unknown) => refused.push(error));
      return first;
    });
    const outcome = await chain.run(context, async () => ++runs);
    expect(outcome).toEqual({ returned: true, value: 1 });
    expect(refused).toEqual([expect.any(MiddlewareError)]);
    expect(refused).toMatchObject([{ code: "MILLRACE_MIDDLEWARE", middleware: "layer 0" }]);
    expect(runs).toBe(1);
  });

  it("refuses a next that comes after its layer has ended", async () => {
    let late: (() => Promise<unknown>) | undefined;
    const chain = chainOf((_, next) => {
      late = next;
    });
    await chain.run(context, () => expect.unreachable("the handler was run"));
    await expect(late?.()).rejects.toThrow('The middleware "layer 0" called next() after it had ended');
  });

  it("ends when the handler has ended, though a layer did not wait for it", async () => {
    const handler = new Stubborn<string>();
    const outcome = watchOutcome(chainOf((_, next) => void next()).run(context, handler.run));
    expect(await outcome()).toBeUndefined();
    handler.resolve("late");
    expect(await outcome()).toEqual({ returned: true, value: undefined });
  });

  it("ends when an inner layer has ended that an outer one did not wait for", async () => {
    const held = new Stubborn();
    const chain = chainOf(
      (_, next) => {
        void next();
        throw new Error("impatient");
      },
      async (_, next) => {
        await held.promise;
        return next();
      },
    );
    let runs = 0;
    const outcome = watchOutcome(chain.run(context, async () => ++runs));
    expect(await outcome()).toBeUndefined();
    held.resolve();
    expect(await outcome()).toEqual({ returned: false, thrown: new Error("impatient") });
    expect(runs).toBe(1);
  });

  it("takes whatever has a then for a promise, also one that throws", async () => {
    const value = chainOf(() => ({ then: (resolve: (value: number) => void) => resolve(3) }));
    expect(await value.run(context, async () => 1)).toEqual({ returned: true, value: 3 });
    const hostile = chainOf(() => ({
      get then(): never {
        throw new Error("a hostile getter");
      },
    }));
    expect(await hostile.run(context, async () => 1)).toEqual({
      returned: false,
      thrown: new Error("a hostile getter"),
    });
  });
});

/** What one layer does: in which order it waits, calls `next` and ends. */
interface Habit {
  readonly turnsBefore: number;
  readonly nexts: 0 | 1 | 2;
  readonly awaits: boolean;
  readonly turnsAfter: number;
  readonly throws: boolean;
}

const habits: fc.Arbitrary<Habit> = fc.record({
  turnsBefore: fc.nat(3),
  nexts: fc.constantFrom(0, 1, 1, 1, 2),
  awaits: fc.boolean(),
  turnsAfter: fc.nat(3),
  throws: fc.boolean(),
});

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await null;
}

describe("AttemptChain with layers of any habits", () => {
  it("runs each layer and the handler once at most, ends after all of them, and as the outermost does", async () => {
    const run = async (layers: readonly Habit[], handlerTurns: number, handlerThrows: boolean) => {
      const begun: number[] = [];
      let going = 0;
      const ends: Outcome[] = [];
      const during = async (index: number, work: () => Promise<unknown>) => {
        begun.push(index);
        going++;
        try {
          const value = await work();
          if (index === 0) ends.push({ returned: true, value });
          return value;
        } catch (thrown) {
          if (index === 0) ends.push({ returned: false, thrown });
          throw thrown;
        } finally {
          going--;
        }
      };
      const chain = chainOf(
        ...layers.map(
          (habit, index): AttemptMiddleware =>
            (_, next) =>
              during(index, async () => {
                await turns(habit.turnsBefore);
                const given = Array.from({ length: habit.nexts }, next);
                if (habit.awaits) await given[0];
                await turns(habit.turnsAfter);
                if (habit.throws) throw new Error(`layer ${index}`);
                return index;
              }),
        ),
      );
      const outcome = await chain.run(context, () =>
        during(layers.length, async () => {
          await turns(handlerTurns);
          if (handlerThrows) throw new Error("handler");
          return "handler";
        }),
      );
      expect(going).toBe(0);
      expect(begun).toEqual([...new Set(begun)]);
      expect([outcome]).toEqual(ends);
      await turns(20);
      expect(going).toBe(0);
    };
    await fc.assert(fc.asyncProperty(fc.array(habits, { maxLength: 4 }), fc.nat(5), fc.boolean(), run), {
      numRuns: 500,
    });
  });
});
