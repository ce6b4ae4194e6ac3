import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { TaskFailedError, TaskTimeoutError } from "../../src/index.js";
import { createManager, rejectionOf } from "../support/manual-manager.js";
import { observeManager } from "../support/observed-manager.js";

class OwnError extends Error {
  readonly status = 503;
  readonly headers = new Map([["retry-after", "1"]]);
}

class TaggedError extends Error {
  readonly taskId = "of another system";
}

const throwing = {
  get(): never {
    throw new Error("a getter that throws");
  },
};
const hostileProxy = new Proxy(new Error("never seen"), {
  get: throwing.get,
  has: throwing.get,
  getPrototypeOf: throwing.get,
  getOwnPropertyDescriptor: throwing.get,
  defineProperty: throwing.get,
  ownKeys: throwing.get,
});

/** Errors that come back as themselves. */
const USABLE: Record<string, () => Error> = {
  "an Error": () => new Error("plain"),
  "a subclass with fields of its own": () => new OwnError("own"),
  "an AggregateError": () => new AggregateError([new Error("one")], "many"),
  "a DOMException": () => new DOMException("aborted", "AbortError"),
  "an Error of another realm": () => runInNewContext("new TypeError('from elsewhere')") as Error,
  "an Error without a stack": () => Object.assign(new Error("bare"), { stack: undefined }),
  "an Error with an endless chain of causes": () => {
    const error = new Error("round");
    error.cause = new Error("and round", { cause: error });
    return error;
  },
  "an Error whose cause throws when it is read": () =>
    Object.defineProperty(new Error("guarded"), "cause", throwing),
};

/** What cannot be given to whoever logs it; it becomes the cause of a TaskFailedError. */
const UNUSABLE: Record<string, () => unknown> = {
  null: () => null,
  undefined: () => undefined,
  "a string": () => "just text",
  "a long string": () => "x".repeat(100_000),
  "a number": () => 42,
  "a bigint": () => 10n ** 30n,
  "a symbol": () => Symbol("thrown"),
  "a function": () => throwing.get,
  "a plain object": () => ({ message: "I look like an Error", name: "Error" }),
  "an object without a prototype": () => Object.create(null),
  "a frozen Error": () => Object.freeze(new Error("frozen")),
  "an Error whose message throws": () => Object.defineProperty(new Error(), "message", throwing),
  "an Error whose stack throws": () => Object.defineProperty(new Error("x"), "stack", throwing),
  "an Error whose name throws": () => Object.defineProperty(new Error("x"), "name", throwing),
  "an Error whose message is no text": () => Object.assign(new Error(), { message: 5 }),
  "a Proxy that throws at everything": () => hostileProxy,
  "a revoked Proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};

describe("what a handler may throw", () => {
  for (const [name, make] of Object.entries(USABLE)) {
    it(`gives back ${name} as itself, with the task's id`, async () => {
      const manager = observeManager();
      const thrown = make();
      for (const work of [() => Promise.reject(thrown), throwIt(thrown)]) {
        const handle = manager.enqueue(work);
        expect(await rejectionOf(handle.result())).toBe(thrown);
        expect((thrown as { taskId?: unknown }).taskId).toBe(handle.id);
        expect(Object.keys(thrown)).not.toContain("taskId");
        expect(manager.endsOf(handle.id)[0]).toMatchObject({ state: "failed", reason: "error" });
        expect(manager.endsOf(handle.id)[0]?.error).toBe(thrown);
      }
    });
  }

  for (const [name, make] of Object.entries(UNUSABLE)) {
    it(`makes of ${name} the cause of an Error that carries the task's id`, async () => {
      const manager = observeManager();
      const thrown = make();
      for (const work of [() => Promise.reject(thrown), throwIt(thrown)]) {
        const handle = manager.enqueue(work);
        const error = (await rejectionOf(handle.result())) as TaskFailedError;
        expect(error).toBeInstanceOf(TaskFailedError);
        expect(error.taskId).toBe(handle.id);
        expect(Object.is(error.cause, thrown)).toBe(true);
        expect(error.message.length).toBeLessThan(500);
        expect(manager.endsOf(handle.id)).toHaveLength(1);
        expect(manager.get(handle.id)).toMatchObject({ state: "failed", reason: "error" });
      }
    });
  }

  it("retries after each of them as after any other", async () => {
    const { tasks, clock } = createManager({ backoff: () => 10, maxAttempts: 2 });
    const all = { ...USABLE, ...UNUSABLE };
    const handles = Object.values(all).map((make) =>
      tasks.enqueue(({ attempt }) => {
        if (attempt === 1) throw make();
        return "worked";
      }),
    );
    await clock.advance(10);
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(handles.map(() => "worked"));
  });

  it("lets the id of an Error that several tasks throw be that of the last, and keeps its identity", async () => {
    const { tasks } = createManager();
    const shared = new Error("shared");
    const handles = [1, 2, 3].map(() => tasks.enqueue(throwIt(shared)));
    const errors = await Promise.all(handles.map((handle) => rejectionOf(handle.result())));
    expect(errors).toEqual([shared, shared, shared]);
    expect(new Set(errors).size).toBe(1);
    expect(shared).toMatchObject({ taskId: handles[2]?.id });
  });

  it("does not touch a taskId that is the user's own", async () => {
    const { tasks } = createManager();
    const error = await rejectionOf(tasks.execute(throwIt(new TaggedError("tagged"))));
    expect(error).toMatchObject({ taskId: "of another system" });
    const passedOn = new TaskTimeoutError("inner", 5);
    expect(await rejectionOf(tasks.execute(throwIt(passedOn)))).toBe(passedOn);
    expect(passedOn.taskId).toBe("inner");
  });
});

function throwIt(thrown: unknown): () => never {
  return () => {
    throw thrown;
  };
}

describe("thenables that a handler returns", () => {
  const objectThatThens = (then: unknown) => ({ then }) as PromiseLike<unknown>;

  it("are waited for like promises", async () => {
    const { tasks } = createManager();
    const later = objectThatThens((resolve: (value: string) => void) => setImmediate(resolve, "later"));
    const refuses = objectThatThens((_: unknown, reject: (error: unknown) => void) =>
      reject(new Error("no")),
    );
    expect(await tasks.execute(() => later)).toBe("later");
    expect(await rejectionOf(tasks.execute(() => refuses))).toMatchObject({ message: "no" });
    const callable: unknown = Object.assign(() => "not this", {
      then: (yes: (value: string) => void) => yes("this"),
    });
    expect(await tasks.execute(() => callable)).toBe("this");
  });

  it("fail the task when reading or calling then throws", async () => {
    const { tasks } = createManager();
    const unreadable = Object.defineProperty({}, "then", throwing);
    expect(await rejectionOf(tasks.execute(() => unreadable))).toMatchObject({
      message: "a getter that throws",
    });
    expect(await rejectionOf(tasks.execute(() => objectThatThens(throwing.get)))).toMatchObject({
      message: "a getter that throws",
    });
    const after = objectThatThens((resolve: (value: string) => void) => {
      resolve("first");
      throw new Error("too late to count");
    });
    expect(await tasks.execute(() => after)).toBe("first");
  });

  it("count once when they call back twice, or both ways", async () => {
    const manager = observeManager();
    const twice = objectThatThens((yes: (value: string) => void, no: (error: unknown) => void) => {
      yes("first");
      no(new Error("second"));
      yes("third");
    });
    const handle = manager.enqueue(() => twice);
    expect(await handle.result()).toBe("first");
    await manager.clock.settle();
    expect(manager.endsOf(handle.id)).toHaveLength(1);
    expect(manager.stats().lanes.inline).toMatchObject({ running: 0 });
  });

  it("are given up like any other handler when they never call back", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(() => objectThatThens(() => {}), { timeoutMs: 100 });
    await clock.advance(1_100);
    expect(await rejectionOf(handle.result())).toBeInstanceOf(TaskTimeoutError);
    expect(tasks.stats().total.abandoned).toBe(1);
  });

  it("may nest", async () => {
    const { tasks } = createManager();
    const nested = objectThatThens((yes: (value: unknown) => void) => yes(Promise.resolve("innermost")));
    expect(await tasks.execute(() => nested)).toBe("innermost");
  });

  it("are no promises when then is no function", async () => {
    const { tasks } = createManager();
    const value = { then: "and then?" };
    expect(await tasks.execute(() => value)).toBe(value);
  });
});
