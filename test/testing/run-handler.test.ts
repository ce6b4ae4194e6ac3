import { describe, expect, it } from "vitest";
import * as z from "zod";
import {
  defineHandlers,
  json,
  OptionError,
  PayloadError,
  ResultError,
  reschedule,
  skipRetry,
  type TaskContext,
  TaskTimeoutError,
  UnknownHandlerError,
} from "../../src/index.js";
import { createTestManager } from "../../src/testing/index.js";
import { rejectionOf, untilAborted } from "../support/manual-manager.js";
import { createKit } from "./kit-scene.js";

/** Runs one handler by itself, whatever it does, and gives what came of that. */
async function runOne(run: (payload: string, context: TaskContext) => unknown, options = {}) {
  const handlers = defineHandlers({
    one: { payload: json<string>(), maxAttempts: 3, timeoutMs: 1_000, killAfterMs: 50, run },
  });
  const kit = createTestManager({ handlers });
  return { kit, result: kit.runHandler("one", "payload", options) };
}

describe("runHandler", () => {
  it.each(["delayMs", "runAt", "backoff", "idempotencyKey", "idempotency"])(
    "refuses %s, which means nothing for one call",
    async (option) => {
      const { result } = await runOne(() => 1, { [option]: 1 });
      expect(await rejectionOf(result)).toMatchObject({ code: "MILLRACE_OPTION", option });
    },
  );

  it("gives what the handler returns, and leaves the queues alone", async () => {
    const { kit, sent } = createKit();
    expect(await kit.runHandler("sendEmail", { to: "ada" })).toBe("sent to ada");
    expect(sent).toEqual(["ada"]);
    expect(kit.enqueued()).toEqual([]);
    expect(kit.tasks.stats().total).toMatchObject({ enqueued: 0, started: 0 });
    expect(kit.clock.timers).toBe(0);
  });

  it("throws what the handler threw, as it threw it, after one call", async () => {
    let calls = 0;
    for (const thrown of [new Error("plain"), "text", undefined, reschedule({ delayMs: 5 }), skipRetry(1)]) {
      const { result } = await runOne(() => {
        calls++;
        throw thrown;
      });
      expect(await rejectionOf(result)).toBe(thrown);
    }
    expect(calls).toBe(5);
  });

  it("does not run a handler again that would be tried again", async () => {
    let calls = 0;
    const { result, kit } = await runOne(
      async () => {
        calls++;
        throw new Error("again");
      },
      { maxAttempts: 10 },
    );
    expect(await rejectionOf(result)).toMatchObject({ message: "again" });
    await kit.settle();
    expect(calls).toBe(1);
  });

  it("gives the handler the context of a real attempt", async () => {
    const { result } = await runOne((_, context) => context, {
      ...{ id: "my-id", queue: "q", priority: 7, metadata: { tenant: "a" }, correlationId: "c" },
    });
    const context = (await result) as TaskContext;
    expect(context).toMatchObject({ id: "my-id", handler: "one", queue: "q", priority: 7, attempt: 1 });
    expect(context).toMatchObject({ maxAttempts: 3, correlationId: "c", metadata: { tenant: "a" } });
    expect(context.signal).toBeInstanceOf(AbortSignal);
  });

  it("tells it which attempt this is, and that it may still enqueue and be aborted", async () => {
    const read = ({ attempt, maxAttempts, id, signal }: TaskContext) => [
      attempt,
      maxAttempts,
      id,
      signal.aborted,
    ];
    const options = { id: "my-id", attempt: 2 };
    expect(await (await runOne((_, context) => read(context), options)).result).toEqual([
      2,
      3,
      "my-id",
      false,
    ]);
    const last = await runOne((_, context) => read(context), { ...options, attempt: 9 });
    expect(await last.result).toEqual([9, 9, "my-id", false]);
    const { kit, result } = await runOne((_, { enqueue }) => enqueue(() => 1), { attempt: 2 });
    expect(await result).toEqual({ id: kit.enqueued()[0]?.id, duplicate: false });
    expect(await rejectionOf((await runOne(() => 1, { attempt: 0 })).result)).toBeInstanceOf(OptionError);
  });

  it("hands what the handler enqueues to the manager under test, which does not run it", async () => {
    const { kit } = createKit();
    await kit.runHandler("signUp", { email: "ada" });
    expect(kit.requireEnqueued("sendEmail", { to: "ada" }, { delayMs: 60_000 })).toHaveLength(1);
    expect(kit.enqueued()).toMatchObject([{ state: "scheduled" }, { handler: undefined, state: "queued" }]);
  });

  it("refuses what enqueue would refuse", async () => {
    const { kit } = createKit();
    const run = kit.runHandler.bind(kit) as (...given: unknown[]) => Promise<unknown>;
    expect(await rejectionOf(run("sendEmial", {}))).toMatchObject({
      message: expect.stringContaining("did you"),
    });
    expect(await rejectionOf(run("contract", ""))).toBeInstanceOf(UnknownHandlerError);
    expect(await rejectionOf(run("sendEmail", { to: "a" }, { priority: 0.5 }))).toBeInstanceOf(OptionError);
    expect(await rejectionOf(createTestManager().runHandler("any" as never, 1 as never))).toBeInstanceOf(
      UnknownHandlerError,
    );
  });

  it("takes payload and result through their schemas, asynchronous ones too", async () => {
    const handlers = defineHandlers({
      double: {
        payload: z.object({ text: z.string().transform(async (text) => Number(text)) }),
        maxAttempts: 3,
        result: z.number().max(10),
        run: ({ text }) => text * 2,
      },
    });
    const kit = createTestManager({ handlers });
    expect(await kit.runHandler("double", { text: "4" })).toBe(8);
    expect(await rejectionOf(kit.runHandler("double", { text: "6" }))).toBeInstanceOf(ResultError);
    expect(await rejectionOf(kit.runHandler("double", { text: 4 as never }))).toBeInstanceOf(PayloadError);
  });

  it("ends the attempt by its timeout, when time is moved on, and by a signal", async () => {
    const obedient = await runOne((_, context) => untilAborted(context));
    await obedient.kit.advance(999);
    await obedient.kit.advance(1);
    expect(await rejectionOf(obedient.result)).toBeInstanceOf(TaskTimeoutError);

    const stubborn = await runOne(() => new Promise(() => {}));
    await stubborn.kit.advance(1_050);
    expect(await rejectionOf(stubborn.result)).toBeInstanceOf(TaskTimeoutError);
    expect(stubborn.kit.clock.timers).toBe(0);

    const abort = new AbortController();
    const { result } = await runOne((_, context) => untilAborted(context), { signal: abort.signal });
    await new Promise<void>((resolve) => setImmediate(resolve));
    abort.abort("the test is over");
    expect(await rejectionOf(result)).toMatchObject({ code: "MILLRACE_TASK_CANCELLED" });
  });

  it("holds to the settings of queue and manager", async () => {
    const handlers = defineHandlers({
      tell: {
        payload: json<null>(),
        queue: "slow",
        run: (_, { maxAttempts, queue }) => [maxAttempts, queue],
      },
      plain: { payload: json<null>(), run: (_, { maxAttempts, queue }) => [maxAttempts, queue] },
    });
    const queues = { slow: { maxAttempts: 7 } };
    const kit = createTestManager({ handlers, maxAttempts: 2, defaultQueue: "main", queues, capacity: 1 });
    kit.tasks.enqueue(() => "there is no more room");
    expect(await kit.runHandler("tell", null)).toEqual([7, "slow"]);
    expect(await kit.runHandler("plain", null)).toEqual([2, "main"]);
  });

  it("runs within the middleware that wraps attempts, and not within what wraps calls", async () => {
    const { kit: plain } = createKit();
    await plain.runHandler("sendEmail", { to: "ada" });
    const calls: string[] = [];
    const named = {
      attempt: async (_: TaskContext, next: () => Promise<unknown>) => `<${await next()}>`,
      call: (_: unknown, next: () => unknown) => {
        calls.push("a call");
        return next();
      },
    };
    const { kit } = createKit({ middleware: [async (_, next) => `[${await next()}]`, named] });
    expect(await kit.runHandler("sendEmail", { to: "ada" })).toBe("[<sent to ada>]");
    expect(calls).toEqual([]);
    const closed = createKit({
      middleware: [
        () => {
          throw reschedule({ delayMs: 5 });
        },
      ],
    });
    expect(await rejectionOf(closed.kit.runHandler("sendEmail", { to: "ada" }))).toMatchObject({
      delayMs: 5,
    });
    expect(closed.sent).toEqual([]);
  });
});
