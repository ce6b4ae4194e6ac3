import { SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-node";
import { describe, expect, it } from "vitest";
import { instrument } from "../../../src/adapters/otel/index.js";
import { cancelTask, fixed, rateLimited, reschedule, skipRetry } from "../../../src/index.js";
import { rejectionOf, untilAborted } from "../../support/manual-manager.js";
import { observeManager, Stubborn } from "../../support/observed-manager.js";
import { TraceSdk, traceManager } from "../../support/traced-manager.js";

/** What a span says of the end of its attempt. */
function endOf({ attributes, events, status }: ReadableSpan) {
  const { "millrace.outcome": outcome, "millrace.reason": reason, "error.type": error } = attributes;
  return {
    outcome: [outcome, ...(reason === undefined ? [] : [reason])].join(" "),
    ...(error === undefined ? undefined : { error }),
    ...(status.code === SpanStatusCode.UNSET ? undefined : { status: SpanStatusCode[status.code] }),
    ...(events.length === 0 ? undefined : { events: events.map((event) => [event.name, event.attributes]) }),
  };
}

describe("the end of an attempt", () => {
  it("that completed is told without a status", async () => {
    const { sdk, tasks } = traceManager();
    await tasks.enqueue(async () => "done").result();
    expect(sdk.attempts.map(endOf)).toEqual([{ outcome: "completed" }]);
  });

  it("that failed for good has the status of an error, and the type of the error alone", async () => {
    const { sdk, tasks } = traceManager();
    const throwing = (thrown: unknown) => rejectionOf(tasks.enqueue(() => Promise.reject(thrown)).result());
    await throwing(new RangeError("not told"));
    await throwing("a text");
    await throwing(skipRetry(new TypeError("not told")));
    expect(sdk.attempts.map(endOf)).toEqual([
      { outcome: "failed error", error: "RangeError", status: "ERROR" },
      { outcome: "failed error", error: "MILLRACE_TASK_FAILED", status: "ERROR" },
      { outcome: "failed error", error: "TypeError", status: "ERROR" },
    ]);
    for (const { status, events } of sdk.attempts) expect([status.message, events]).toEqual([undefined, []]);
  });

  it("that will be tried again has its error, and tells when the next is", async () => {
    const { sdk, tasks } = traceManager({ maxAttempts: 3, backoff: fixed({ delayMs: 250 }) });
    const handle = tasks.enqueue(({ attempt }) => {
      if (attempt < 3) throw new RangeError("not told");
    });
    await tasks.clock.advance(500);
    await handle.result();
    const retried = (attempt: number) => ({
      ...{ outcome: "retried", error: "RangeError", status: "ERROR" },
      events: [["retry", { "millrace.delay_ms": 250, "millrace.attempt": attempt }]],
    });
    expect(sdk.attempts.map(endOf)).toEqual([retried(2), retried(3), { outcome: "completed" }]);
  });

  it("that asked to run again is no error", async () => {
    const { sdk, tasks } = traceManager();
    const turns: unknown[] = [reschedule({ delayMs: 40 }), rateLimited({ retryAfterMs: 60 }), reschedule()];
    const handle = tasks.enqueue(() => {
      const thrown = turns.shift();
      if (thrown !== undefined) throw thrown;
    });
    await tasks.clock.advance(100);
    await handle.result();
    const event = (delay: number) => [["reschedule", { "millrace.delay_ms": delay }]];
    expect(sdk.attempts.map(endOf)).toEqual([
      { outcome: "rescheduled rescheduled", events: event(40) },
      { outcome: "rescheduled rate-limited", events: event(60) },
      { outcome: "rescheduled", events: event(0) },
      { outcome: "completed" },
    ]);
    expect(sdk.attempts.map(({ attributes }) => attributes["millrace.attempt"])).toEqual([1, 1, 1, 1]);
  });

  it("that was cancelled is no error either, by whomever", async () => {
    const { sdk, tasks } = traceManager();
    const outside = tasks.enqueue(untilAborted);
    const inside = tasks.enqueue(() => Promise.reject(cancelTask("not needed")));
    await tasks.clock.advance(0);
    outside.cancel("not told");
    await Promise.all([rejectionOf(outside.result()), rejectionOf(inside.result())]);
    expect(sdk.attempts.map(endOf)).toEqual(Array(2).fill({ outcome: "cancelled cancelled" }));
  });

  it("by its timeout is told, whether another follows or not", async () => {
    const { sdk, tasks } = traceManager({ maxAttempts: 2, backoff: fixed({ delayMs: 5 }) });
    const handle = tasks.enqueue(untilAborted, { timeoutMs: 100 });
    await tasks.clock.advance(205);
    await rejectionOf(handle.result());
    expect(sdk.attempts.map(endOf)).toEqual([
      {
        ...{ outcome: "retried", error: "MILLRACE_TASK_TIMEOUT", status: "ERROR" },
        events: [["retry", { "millrace.delay_ms": 5, "millrace.attempt": 2 }]],
      },
      { outcome: "failed timeout", error: "MILLRACE_TASK_TIMEOUT", status: "ERROR" },
    ]);
  });

  it("by the deadline of its task is told", async () => {
    const { sdk, tasks } = traceManager();
    const handle = tasks.enqueue(untilAborted, { ttlMs: 100 });
    await tasks.clock.advance(100);
    await rejectionOf(handle.result());
    expect(sdk.attempts.map(endOf)).toEqual([
      { outcome: "failed deadline", error: "MILLRACE_DEADLINE", status: "ERROR" },
    ]);
  });

  it("by a stop is told, also of one that was given up", async () => {
    const { sdk, tasks } = traceManager();
    tasks.enqueue(untilAborted);
    tasks.enqueue(new Stubborn().run);
    await tasks.clock.advance(0);
    const stopped = tasks.stopNow();
    await tasks.clock.advance(1_000);
    await stopped;
    expect(sdk.attempts.map(endOf)).toEqual([
      { outcome: "cancelled stopped" },
      { outcome: "cancelled stopped", events: [["abandon", {}]] },
    ]);
  });

  it("comes when it is given up, although its handler goes on", async () => {
    const { sdk, tasks } = traceManager({ maxAttempts: 2, backoff: fixed({ delayMs: 5 }), killAfterMs: 50 });
    const stubborn = new Stubborn<string>();
    const handle = tasks.enqueue(({ attempt }) => (attempt === 1 ? stubborn.run() : "second"), {
      timeoutMs: 100,
    });
    await tasks.clock.advance(149);
    expect(sdk.attempts).toEqual([]);
    await tasks.clock.advance(1);
    const given = {
      ...{ outcome: "retried", error: "MILLRACE_TASK_TIMEOUT", status: "ERROR" },
      events: [
        ["abandon", {}],
        ["retry", { "millrace.delay_ms": 5, "millrace.attempt": 2 }],
      ],
    };
    expect(sdk.attempts.map(endOf)).toEqual([given]);
    await tasks.clock.advance(5);
    expect(await handle.result()).toBe("second");
    stubborn.resolve("too late");
    await tasks.clock.advance(0);
    expect(sdk.attempts.map(endOf)).toEqual([given, { outcome: "completed" }]);
  });

  it("comes with the middleware that does not come to the handler", async () => {
    const { sdk, tasks } = traceManager({
      middleware: [{ name: "cache", attempt: async (_context, next) => (cached ? "cached" : await next()) }],
    });
    let cached = true;
    let calls = 0;
    const work = () => {
      calls++;
      return "fresh";
    };
    expect(await tasks.enqueue(work).result()).toBe("cached");
    cached = false;
    expect(await tasks.enqueue(work).result()).toBe("fresh");
    expect(calls).toBe(1);
    expect(sdk.attempts.map(endOf)).toEqual(Array(2).fill({ outcome: "completed" }));
  });

  it("comes with the attempt, not before what middleware does after the handler", async () => {
    const slow = new Stubborn();
    const { sdk, tasks } = traceManager({
      middleware: [{ name: "slow", attempt: (_context, next) => next().finally(slow.run) }],
    });
    const handle = tasks.enqueue(() => "done");
    await tasks.clock.advance(0);
    expect(sdk.attempts).toEqual([]);
    slow.resolve();
    await handle.result();
    expect(sdk.attempts).toHaveLength(1);
  });
});

describe("a task that ends while it waits", () => {
  it("has no span but that of its call", async () => {
    const { sdk, tasks } = traceManager({ autoStart: false, capacity: 3, whenFull: "drop-oldest" });
    const dropped = tasks.enqueue(() => 1);
    const cancelled = tasks.enqueue(() => 1, { delayMs: 1_000 });
    const expired = tasks.enqueue(() => 1, { ttlMs: 10 });
    const stopped = tasks.enqueue(() => 1);
    cancelled.cancel();
    await tasks.clock.advance(10);
    await tasks.stopNow();
    const ends = [dropped, cancelled, expired, stopped];
    await Promise.all(ends.map((handle) => rejectionOf(handle.result())));
    expect(sdk.sends).toHaveLength(4);
    expect(sdk.attempts).toEqual([]);
  });

  it("in its backoff has the spans of its attempts, each ended with its attempt", async () => {
    const { sdk, tasks } = traceManager({ maxAttempts: 2, backoff: fixed({ delayMs: 100 }) });
    const handle = tasks.enqueue(() => Promise.reject(new Error("fails")));
    await tasks.clock.advance(50);
    expect(sdk.attempts).toHaveLength(1);
    handle.cancel();
    await rejectionOf(handle.result());
    expect(sdk.attempts).toHaveLength(1);
  });
});

describe("disposal", () => {
  it("ends the spans that are open, and traces nothing after that", async () => {
    const { sdk, tasks, instrumented } = traceManager({ maxAttempts: 2, backoff: fixed({ delayMs: 1 }) });
    const stubborn = new Stubborn();
    const running = tasks.enqueue(stubborn.run);
    await tasks.clock.advance(0);
    expect(sdk.attempts).toEqual([]);
    instrumented[Symbol.dispose]();
    instrumented[Symbol.dispose]();
    expect(sdk.attempts.map(endOf)).toEqual([{ outcome: "" }]);
    const spans = sdk.spans.length;
    stubborn.reject(new Error("fails"));
    await tasks.clock.advance(1);
    await Promise.allSettled([running.result(), tasks.enqueue(() => 1).result()]);
    expect(sdk.spans).toHaveLength(spans);
    expect(tasks.core.carriers.attached).toBe(false);
  });

  it("counts also within the run of an attempt, by a carrier around", async () => {
    const sdk = new TraceSdk().register();
    const tasks = observeManager();
    tasks.core.carriers.attach({
      capture: () => undefined,
      run: (_captured, _task, perform) => {
        instrumented[Symbol.dispose]();
        return perform();
      },
    });
    const instrumented = instrument(tasks);
    expect(await tasks.enqueue(() => 1).result()).toBe(1);
    expect(sdk.spans.map(({ name }) => name)).toEqual(["send default"]);
  });
});
