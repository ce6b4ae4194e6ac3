import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { AsyncContext } from "../../../src/adapters/system/async-context.js";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import { Carriers } from "../../../src/core/manager/carriers.js";
import type { CapturedContext, ContextCarrier, OutgoingTask } from "../../../src/ports/context-carrier.js";
import { GroupTally } from "../../../src/task/group-tally.js";
import type { Outcome } from "../../../src/task/outcome.js";
import { reschedule } from "../../../src/task/steering.js";
import { newTask } from "../../support/new-task.js";

const task = newTask();
const done: Outcome = { returned: true, value: "done" };

/** A carrier that notes what it does. */
function recording(name: string, notes: string[]): ContextCarrier {
  return {
    capture: () => {
      notes.push(`${name} captures`);
      return { headers: { [name]: "yes" } };
    },
    run: (captured, _task, perform) => {
      notes.push(`${name} begins with ${JSON.stringify(captured?.headers)}`);
      const outcome = perform();
      notes.push(`${name} ends`);
      return outcome;
    },
  };
}

describe("Carriers", () => {
  it("are the async context alone where none is attached", () => {
    const storage = new AsyncLocalStorage<string>();
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    const captured = storage.run("mine", () => carriers.capture(task, true));
    const seen = carriers.run(captured, task, () => ({ returned: true, value: storage.getStore() }));
    expect(seen).toEqual({ returned: true, value: "mine" });
    expect(carriers.capture(task, false)).toBeUndefined();
  });

  it("nest in the order in which they were attached, each with what it captured", () => {
    const notes: string[] = [];
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    carriers.attach(recording("outer", notes));
    carriers.attach(recording("inner", notes));
    const captured = carriers.capture(task, true);
    expect(captured?.headers).toEqual({ outer: "yes", inner: "yes" });
    const outcome = carriers.run(captured, task, () => {
      notes.push("handler");
      return done;
    });
    expect(outcome).toBe(done);
    expect(notes).toEqual([
      ...["outer captures", "inner captures"],
      ...['outer begins with {"outer":"yes"}', 'inner begins with {"inner":"yes"}', "handler"],
      ...["inner ends", "outer ends"],
    ]);
  });

  it("run attached ones within the async context of the enqueue call", () => {
    const storage = new AsyncLocalStorage<string>();
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    const seen: unknown[] = [];
    carriers.attach({
      capture: () => undefined,
      run: (_captured, _task, perform) => {
        seen.push(storage.getStore());
        return perform();
      },
    });
    const captured = storage.run("mine", () => carriers.capture(task, true));
    carriers.run(captured, task, () => done);
    expect(seen).toEqual(["mine"]);
  });

  it("pass through what the handler came to, steering and promises included", async () => {
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    carriers.attach(recording("one", []));
    const steering: Outcome = { returned: false, thrown: reschedule() };
    expect(carriers.run(undefined, task, () => steering)).toBe(steering);
    const later = Promise.resolve(steering);
    expect(carriers.run(undefined, task, () => later)).toBe(later);
  });

  it("show a carrier the outcome, so that it may end its span", async () => {
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    const spans: unknown[] = [];
    carriers.attach({
      capture: () => undefined,
      run: async (_captured, _task, perform) => {
        const outcome = await perform();
        spans.push(outcome);
        return outcome;
      },
    });
    const failed: Outcome = { returned: false, thrown: new Error("fails") };
    expect(await carriers.run(undefined, task, async () => failed)).toBe(failed);
    await Promise.resolve();
    expect(spans).toEqual([failed]);
  });

  it("may be attached and detached while tasks wait", () => {
    const notes: string[] = [];
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    const before = carriers.capture(task, true);
    const late = carriers.attach(recording("late", notes));
    carriers.run(before, task, () => done);
    expect(notes).toEqual(["late begins with undefined", "late ends"]); // with nothing captured
    const during = carriers.capture(task, true);
    late[Symbol.dispose]();
    notes.length = 0;
    expect(carriers.run(during, task, () => done)).toBe(done);
    expect(notes).toEqual([]);
  });

  it("detach once: what is attached anew is not detached by the old handle", () => {
    const notes: string[] = [];
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    const carrier = recording("one", notes);
    const first = carriers.attach(carrier);
    first[Symbol.dispose]();
    carriers.attach(carrier);
    first[Symbol.dispose]();
    carriers.run(undefined, task, () => done);
    expect(notes).toHaveLength(2);
  });

  it("call the handler exactly once, whatever a carrier does, and count its faults", async () => {
    const boom = () => {
      throw new Error("broken carrier");
    };
    const broken: readonly ContextCarrier["run"][] = [
      boom,
      (_captured, _task, perform) => {
        void perform();
        return boom();
      },
      (_captured, _task, perform) => {
        void perform();
        return perform();
      },
      () => done,
      async (_captured, _task, perform) => {
        await perform();
        throw new Error("broken later");
      },
    ];
    for (const run of broken) {
      const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
      carriers.attach({ capture: () => undefined, run });
      let calls = 0;
      const mine: Outcome = { returned: true, value: "mine" };
      const outcome = await carriers.run(undefined, task, () => {
        calls++;
        return mine;
      });
      expect([calls, outcome]).toEqual([1, mine]);
    }
    const errors = new ObserverErrors();
    const carriers = new Carriers(new AsyncContext(), errors);
    carriers.attach({ capture: boom, run: boom });
    const captured: CapturedContext | undefined = carriers.capture(task, true);
    expect(errors.count).toBe(1);
    expect(carriers.run(captured, task, () => done)).toBe(done);
    expect(errors.count).toBe(2);
  });

  it("bind a call to the context in which it was made", () => {
    const storage = new AsyncLocalStorage<string>();
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    const bound = storage.run("mine", () => carriers.bind(() => storage.getStore()));
    expect(storage.run("other", bound)).toBe("mine");
  });

  it("pass over one that is not active, at the capture and at the attempt", () => {
    const notes: string[] = [];
    const sleeper = { ...recording("sleeper", notes), active: false };
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    carriers.attach(sleeper);
    expect(carriers.attached).toBe(false);
    const asleep = carriers.capture(task, true);
    expect(carriers.run(asleep, task, () => done)).toBe(done);
    expect(notes).toEqual([]);

    sleeper.active = true;
    expect(carriers.attached).toBe(true);
    expect(carriers.run(asleep, task, () => done)).toBe(done);
    expect(notes).toEqual(["sleeper begins with undefined", "sleeper ends"]);
    expect(carriers.capture(task, true)?.headers).toEqual({ sleeper: "yes" });
  });

  it("run those that are active beside one that is not", () => {
    const notes: string[] = [];
    const sleeper = { ...recording("sleeper", notes), active: true };
    const carriers = new Carriers(new AsyncContext(), new ObserverErrors());
    carriers.attach(sleeper);
    carriers.attach(recording("waking", notes));
    const captured = carriers.capture(task, true);
    sleeper.active = false;
    notes.length = 0;
    expect(carriers.attached).toBe(true);
    expect(carriers.run(captured, task, () => done)).toBe(done);
    expect(notes).toEqual(['waking begins with {"waking":"yes"}', "waking ends"]);
  });
});

describe("Carriers of durable tasks", () => {
  const outgoing: OutgoingTask = {
    ...{ id: "default:1", queue: "default", handler: "mail", details: {} },
    tally: new GroupTally("default", "mail"),
  };
  const passive = (send: ContextCarrier["send"], more: Partial<ContextCarrier> = {}): ContextCarrier => ({
    ...{ capture: () => undefined, run: (_captured, _task, perform) => perform() },
    ...(send && { send }),
    ...more,
  });

  function createCarriers(...attached: readonly ContextCarrier[]) {
    const errors = new ObserverErrors();
    const carriers = new Carriers(new AsyncContext(), errors);
    for (const carrier of attached) carriers.attach(carrier);
    return { carriers, errors };
  }

  it("give nothing along where none is attached, and receive nothing", () => {
    const { carriers } = createCarriers();
    expect(carriers.send(outgoing)).toBeUndefined();
    expect(carriers.receive({ a: "b" })).toBeUndefined();
  });

  it("give along what all of them give, and are told what came of it", () => {
    const told: unknown[] = [];
    const { carriers } = createCarriers(
      passive(() => ({ headers: { a: "1" }, ended: (error) => told.push(error) })),
      passive(() => undefined),
      passive(() => ({ headers: { b: "2" } })),
      passive(undefined),
    );
    const departure = carriers.send(outgoing);
    expect(departure?.headers).toEqual({ a: "1", b: "2" });
    departure?.ended?.("refused");
    expect(told).toEqual(["refused"]);
  });

  it("leave out what one gives that is broken or too much, and count it", () => {
    const broken = () => {
      throw new Error("broken");
    };
    const { carriers, errors } = createCarriers(
      passive(broken),
      passive(() => ({ headers: { a: 5 } as never })),
      passive(() => ({ headers: { a: "x".repeat(40_000) } })),
      passive(() => Object.defineProperty({}, "headers", { get: broken })),
      passive(() => ({ headers: { sound: "yes" }, ended: broken })),
    );
    const departure = carriers.send(outgoing);
    expect(departure?.headers).toEqual({ sound: "yes" });
    expect(errors.count).toBe(4);
    departure?.ended?.(undefined);
    expect(errors.count).toBe(5);
  });

  it("are each given what has arrived, in the context of nobody's request", () => {
    const storage = new AsyncLocalStorage<string>();
    const given: unknown[] = [];
    const note: Partial<ContextCarrier> = {
      run: (captured, _task, perform) => {
        given.push(captured?.headers);
        return perform();
      },
    };
    const { carriers } = createCarriers(passive(undefined, note), passive(undefined, note));
    const arrived = carriers.receive({ a: "1" });
    const seen = storage.run("a request", () =>
      carriers.run(arrived, task, () => ({ returned: true, value: storage.getStore() })),
    );
    expect(given).toEqual([{ a: "1" }, { a: "1" }]);
    expect(seen).toEqual({ returned: true, value: undefined });
  });
});
