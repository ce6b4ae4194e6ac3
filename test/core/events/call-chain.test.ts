import { describe, expect, it } from "vitest";
import { CallChain } from "../../../src/core/events/call-chain.js";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import { MiddlewareError, NotAcceptingError } from "../../../src/errors.js";
import type { CallMiddleware, CallRequest, RequestedTask } from "../../../src/task/middleware.js";
import { rejectionOf, thrownBy } from "../../support/manual-manager.js";
import { watchPromise } from "../../support/observed-manager.js";

const task: RequestedTask = { handler: undefined, payload: undefined, work: () => 1, options: undefined };
const request: CallRequest = { call: "enqueue", tasks: [task] };
const later: CallRequest = { call: "execute", tasks: [task] };

let errors = new ObserverErrors();

function chainOf(...calls: CallMiddleware[]): CallChain {
  errors = new ObserverErrors();
  return new CallChain(
    calls.map((call, index) => ({ name: `layer ${index}`, call })),
    errors,
  );
}

const unreachable = () => expect.unreachable("the real call was made");
const tick = () => new Promise((resolve) => setImmediate(resolve));

const toRefusal = (message: string) => new NotAcceptingError(message);

describe("CallChain with a call that gives its value at once", () => {
  it("passes the request from the first layer to the last, each with what the one before put in its place", () => {
    const labelled =
      (name: string): CallMiddleware =>
      ({ call, tasks }, next) =>
        next({
          call,
          tasks: tasks.map((one) => ({ ...one, options: { name: `${one.options?.name ?? ""}${name}` } })),
        });
    const given = chainOf(labelled("a"), labelled("b")).sync(request, ({ call, tasks }) => [
      call,
      tasks[0]?.options,
    ]);
    expect(given).toEqual(["enqueue", { name: "ab" }]);
  });

  it("gives what the real call gave, whatever a layer returns or throws after it, and counts what it throws", async () => {
    const chain = chainOf(
      (_, next) => {
        next();
        throw new Error("too late");
      },
      (_, next) => {
        next();
        return "something else";
      },
      async (_, next) => {
        next();
        throw new Error("later still");
      },
    );
    expect(chain.sync(request, () => "handle")).toBe("handle");
    await tick();
    expect(errors.count).toBe(2);
  });

  it("refuses the call with what a layer throws before it calls next", () => {
    const reason = new Error("not today");
    const chain = chainOf(() => {
      throw reason;
    });
    expect(thrownBy(() => chain.sync(request, unreachable))).toBe(reason);
    expect(errors.count).toBe(0);
  });

  it("throws what the real call threw, also where a layer keeps that to itself, or what it makes of it", () => {
    const refused = new Error("no room");
    const refuse = () => {
      throw refused;
    };
    const keeping: CallMiddleware = (_, next) => {
      try {
        return next();
      } catch {
        return "kept";
      }
    };
    expect(thrownBy(() => chainOf(keeping).sync(request, refuse))).toBe(refused);
    const translating: CallMiddleware = (_, next) => {
      try {
        return next();
      } catch (cause) {
        throw new Error("busy", { cause });
      }
    };
    expect(thrownBy(() => chainOf(translating).sync(request, refuse))).toMatchObject({
      message: "busy",
      cause: refused,
    });
  });

  it("throws a MiddlewareError where a layer returns without having called next", async () => {
    const silent = chainOf(() => "nothing");
    expect(thrownBy(() => silent.sync(request, unreachable))).toMatchObject({
      ...{ code: "MILLRACE_MIDDLEWARE", middleware: "layer 0" },
      message: 'The middleware "layer 0" did not call next()',
    });
    let late: unknown;
    const slow = chainOf(async (_, next) => {
      await null;
      late = thrownBy(next);
    });
    expect(thrownBy(() => slow.sync(request, unreachable))).toBeInstanceOf(MiddlewareError);
    await tick();
    expect(late).toMatchObject({ message: 'The middleware "layer 0" called next() after it had ended' });
  });

  it("refuses a second next, with nothing done", () => {
    let calls = 0;
    const refused: unknown[] = [];
    const chain = chainOf((_, next) => {
      next();
      refused.push(thrownBy(next));
    });
    expect(chain.sync(request, () => ++calls)).toBe(1);
    expect(refused).toEqual([expect.any(MiddlewareError)]);
    expect(calls).toBe(1);
  });

  it.each([
    ["fewer tasks", { call: "enqueue", tasks: [] }],
    ["more tasks", { call: "enqueue", tasks: [task, task] }],
    ["no tasks", { call: "enqueue" }],
    ["tasks that are none", { call: "enqueue", tasks: [1] }],
    ["no request", 5],
    ["null", null],
  ])("refuses a request with %s in the place of the one it gave", (_, wrong) => {
    const chain = chainOf((_request, next) => next(wrong as never));
    expect(thrownBy(() => chain.sync(request, unreachable))).toMatchObject({
      message: 'The middleware "layer 0" must pass on as many tasks as it was given: 1',
    });
  });

  it("makes the call that was asked for, whatever call the other request names", () => {
    const chain = chainOf(({ tasks }, next) => next({ call: "execute", tasks }));
    expect(chain.sync(request, ({ call }) => call)).toBe("enqueue");
  });
});

describe("CallChain with a call that gives a promise", () => {
  it("gives what the layer makes of it, promise or not", async () => {
    const chain = chainOf(async (_, next) => `<${await next()}>`);
    expect(await chain.promised(later, async () => "value")).toBe("<value>");
    const plain = chainOf((_, next) => {
      void next();
      return "at once";
    });
    expect(await plain.promised<unknown>(later, async () => "value")).toBe("at once");
  });

  it("rejects with what the layer throws or rejects with, before next and after it", async () => {
    const reason = new Error("not today");
    const throwing = chainOf(() => {
      throw reason;
    });
    expect(await rejectionOf(throwing.promised(later, unreachable))).toBe(reason);
    const after = chainOf(async (_, next) => {
      await next();
      throw reason;
    });
    expect(await rejectionOf(after.promised(later, async () => 1))).toBe(reason);
    const passing = chainOf((_, next) => next());
    expect(await rejectionOf(passing.promised(later, () => Promise.reject(reason)))).toBe(reason);
  });

  it("lets a layer call next later, but not twice, not after its end, and not never", async () => {
    const slow = chainOf(async (_, next) => {
      await tick();
      return next();
    });
    expect(await slow.promised(later, async () => 1)).toBe(1);
    const twice = chainOf(async (_, next) => {
      await next();
      return next();
    });
    expect(await rejectionOf(twice.promised(later, async () => 1))).toBeInstanceOf(MiddlewareError);
    let late: (() => unknown) | undefined;
    const never = chainOf(async (_, next) => {
      late = next;
    });
    const rejection = await rejectionOf(never.promised(later, unreachable));
    expect(rejection).toMatchObject({ message: 'The middleware "layer 0" did not call next()' });
    expect(thrownBy(() => late?.())).toBeInstanceOf(MiddlewareError);
  });

  it("leaves no unhandled rejection where a layer does not wait for the real call", async () => {
    const chain = chainOf((_, next) => void next());
    expect(await chain.promised<unknown>(later, () => Promise.reject(new Error("unheard")))).toBeUndefined();
    await tick(); // Vitest fails a run in which a rejection stays unhandled
  });

  it("lets nobody wait for a layer that never ends once it is closed", async () => {
    const chain = chainOf(async (_, next) => {
      void next();
      return new Promise(() => {});
    });
    const waiting = watchPromise(chain.promised(later, async () => "real"));
    const failing = watchPromise(chain.promised(later, () => Promise.reject(new RangeError("real"))));
    await tick();
    expect([waiting.outcome(), failing.outcome(), chain.waiting]).toEqual([undefined, undefined, 2]);
    chain.close(toRefusal);
    await tick();
    expect([waiting.outcome(), failing.outcome()]).toEqual(["resolved real", "rejected RangeError"]);
  });

  it("refuses a call that a layer holds back for ever once it is closed, and passes later ones by", async () => {
    const chain = chainOf(() => new Promise(() => {}));
    const held = chain.promised(later, unreachable);
    chain.close(toRefusal);
    expect(await rejectionOf(held)).toBeInstanceOf(NotAcceptingError);
    expect(await chain.promised(later, async () => "real")).toBe("real");
  });
});
