import * as api from "@opentelemetry/api";
import { context, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
} from "@opentelemetry/sdk-trace-node";
import { describe, expect, it } from "vitest";
import { instrument } from "../../../src/adapters/otel/index.js";
import { TaskTracer } from "../../../src/adapters/otel/task-tracer.js";
import { defineHandlers, fixed, json, type TaskManager } from "../../../src/index.js";
import type { CapturedContext } from "../../../src/ports/context-carrier.js";
import { instrumentation } from "../../../src/ports/instrumentation.js";
import { newTask } from "../../support/new-task.js";
import { idOf, linksOf, parentOf, TraceSdk, traceManager } from "../../support/traced-manager.js";

const handlers = defineHandlers({
  email: { payload: json<{ to: string }>(), queue: "mail", run: () => "sent" },
});

/** The manager by the types of its handlers. */
function typed(tasks: object): TaskManager<typeof handlers> {
  return tasks as TaskManager<typeof handlers>;
}

/** A span of the handler's own. */
function startOwnSpan(name: string): void {
  trace.getTracer("handler").startSpan(name).end();
}

describe("the span of an enqueue call", () => {
  it("is a producer's, named by operation and queue, and over at once", async () => {
    const { sdk, tasks } = traceManager({ handlers });
    const handle = typed(tasks).enqueue("email", { to: "a" }, { correlationId: "request-7" });
    const [send] = sdk.sends;
    expect(send).toMatchObject({ name: "send mail", kind: SpanKind.PRODUCER, ended: true, links: [] });
    expect(send?.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(send?.instrumentationScope).toMatchObject({ name: "millrace", version: expect.any(String) });
    expect(send?.attributes).toEqual({
      "messaging.system": "millrace",
      "messaging.operation.name": "send",
      "messaging.operation.type": "send",
      "messaging.destination.name": "mail",
      "messaging.message.id": handle.id,
      "messaging.message.conversation_id": "request-7",
      "millrace.handler": "email",
    });
    await handle.result();
  });

  it("says nothing of handler and correlation id where there are none", async () => {
    const { sdk, tasks } = traceManager();
    await tasks.enqueue(() => "done").result();
    const keys = Object.keys(sdk.sends[0]?.attributes ?? {});
    expect(keys.filter((key) => /handler|conversation|manager/.test(key))).toEqual([]);
    expect(sdk.sends[0]?.name).toBe("send default");
  });

  it("is a child of the span in which the call was made", async () => {
    const { sdk, tasks } = traceManager();
    await sdk.inSpan("request", () => tasks.enqueue(() => "done")).result();
    await tasks.enqueue(() => "done").result();
    expect(sdk.sends.map(parentOf)).toEqual([idOf(sdk.named("request")[0]), undefined]);
  });

  it("is made for each of many, and for a call that had to wait for room", async () => {
    const { sdk, tasks } = traceManager({ capacity: 2, concurrency: 1 });
    tasks.enqueueMany([() => 1, () => 2]);
    const waited = sdk.inSpan("request", () => tasks.enqueueAsync(() => 3));
    expect(sdk.sends).toHaveLength(2);
    await (await waited).result();
    expect(sdk.sends.map(parentOf)).toEqual([undefined, undefined, idOf(sdk.named("request")[0])]);
  });

  it("is not made for a task that was refused", async () => {
    const { sdk, tasks } = traceManager({ capacity: 1, autoStart: false });
    tasks.enqueue(() => 1, { id: "one" });
    expect(() => tasks.enqueue(() => 2)).toThrow("No room");
    expect(() => tasks.enqueue(() => 2, { id: "one" })).toThrow("one");
    expect(sdk.sends).toHaveLength(1);
  });

  it("names no more queues than metrics do (V15), while its attribute has the queue itself", async () => {
    const { sdk, tasks } = traceManager({ queues: { mail: {} } });
    for (let index = 0; index < 150; index++)
      await tasks.enqueue(() => 1, { queue: `tenant-${index}` }).result();
    await tasks.enqueue(() => 1, { queue: "mail" }).result();
    const names = new Set(sdk.spans.map(({ name }) => name));
    expect(names.size).toBe(2 * 102);
    expect(names).toContain("send mail");
    expect(
      sdk.named("send _OTHER").map(({ attributes }) => attributes["messaging.destination.name"]),
    ).toContain("tenant-149");
  });
});

describe("the span of an attempt", () => {
  it("is a consumer's, begins a trace of its own, and is linked to that of the call", async () => {
    const { sdk, tasks } = traceManager({ handlers });
    const handle = sdk.inSpan("request", () => typed(tasks).enqueue("email", { to: "a" }));
    await handle.result();
    const [send, attempt] = [sdk.sends[0], sdk.attempts[0]];
    expect(attempt).toMatchObject({ name: "process mail", kind: SpanKind.CONSUMER });
    expect(attempt?.attributes).toEqual({
      "messaging.system": "millrace",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": "mail",
      "messaging.message.id": handle.id,
      "millrace.handler": "email",
      "millrace.attempt": 1,
      "millrace.outcome": "completed",
    });
    expect(attempt?.parentSpanContext).toBeUndefined();
    expect(attempt?.spanContext().traceId).not.toBe(send?.spanContext().traceId);
    expect(attempt && linksOf(attempt)).toEqual([idOf(send)]);
  });

  it("is a child of that of the call where the relation is parent", async () => {
    const { sdk, tasks } = traceManager({}, { traces: { relation: "parent" } });
    await sdk.inSpan("request", () => tasks.enqueue(() => "done")).result();
    const [attempt] = sdk.attempts;
    expect(attempt && parentOf(attempt)).toBe(idOf(sdk.sends[0]));
    expect(new Set(sdk.spans.map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it.each(["link", "parent"] as const)("is one for each attempt, all of one call: %s", async (relation) => {
    const options = { maxAttempts: 3, backoff: fixed({ delayMs: 10 }) };
    const { sdk, tasks } = traceManager(options, { traces: { relation } });
    const handle = tasks.enqueue(({ attempt }) => {
      if (attempt < 3) throw new Error("fails");
    });
    await tasks.clock.advance(20);
    await handle.result();
    expect(sdk.sends).toHaveLength(1);
    expect(sdk.attempts.map(({ attributes }) => attributes["millrace.attempt"])).toEqual([1, 2, 3]);
    const send = idOf(sdk.sends[0]);
    expect(sdk.attempts.map(linksOf)).toEqual([[send], [send], [send]]);
    expect(sdk.attempts.map(parentOf)).toEqual(Array(3).fill(relation === "parent" ? send : undefined));
    const traces = new Set(sdk.attempts.map((span) => span.spanContext().traceId));
    expect(traces.size).toBe(relation === "parent" ? 1 : 3);
  });

  it("is the parent of what its handler and its middleware do", async () => {
    const { sdk, tasks } = traceManager({
      middleware: [
        {
          name: "outer",
          attempt: async (_context, next) => {
            startOwnSpan("before");
            const value = await next();
            startOwnSpan("after");
            return value;
          },
        },
      ],
    });
    await tasks
      .enqueue(async () => {
        startOwnSpan("at once");
        await Promise.resolve();
        startOwnSpan("later");
      })
      .result();
    const own = ["before", "at once", "later", "after"].flatMap((name) => sdk.named(name));
    expect(own.map(parentOf)).toEqual(Array(4).fill(idOf(sdk.attempts[0])));
  });

  it("is the parent of the calls that its handler makes", async () => {
    const { sdk, tasks } = traceManager();
    await tasks
      .enqueue(
        async (context) => {
          await Promise.resolve();
          await context.enqueue(() => 1, { queue: "inner" });
          await tasks.enqueue(() => 2, { queue: "inner" }).result();
        },
        { queue: "outer" },
      )
      .result();
    await tasks.drain();
    expect(sdk.named("send inner").map(parentOf)).toEqual(Array(2).fill(idOf(sdk.named("process outer")[0])));
    expect(sdk.named("process inner").map(linksOf)).toEqual(
      sdk.named("send inner").map((span) => [idOf(span)]),
    );
  });

  it("leaves the rest of the async context as the call had it", async () => {
    const { tasks } = traceManager();
    const key = Symbol("request");
    const mine = context.active().setValue(key, "mine");
    const handle = context.with(mine, () => tasks.enqueue(() => context.active().getValue(key)));
    const without = context.with(mine, () =>
      tasks.enqueue(() => context.active().getValue(key), { context: false }),
    );
    expect([await handle.result(), await without.result()]).toEqual(["mine", undefined]);
  });

  it("is linked to its call, and the parent of its handler, where the task gave up its context", async () => {
    const { sdk, tasks } = traceManager();
    await sdk.inSpan("request", () => tasks.enqueue(() => startOwnSpan("own"), { context: false })).result();
    expect(sdk.attempts.map(linksOf)).toEqual([[idOf(sdk.sends[0])]]);
    expect(sdk.named("own").map(parentOf)).toEqual([idOf(sdk.attempts[0])]);
    expect(sdk.sends.map(parentOf)).toEqual([idOf(sdk.named("request")[0])]);
  });
});

describe("two managers of one SDK", () => {
  it("are told apart by the name that was given, and traced apart", async () => {
    const { sdk, tasks } = traceManager({}, { name: "one" });
    const { tasks: others } = traceManager({}, { name: "two" }, sdk);
    await tasks
      .enqueue(() => others.enqueue(() => 1, { queue: "inner" }).result(), { queue: "outer" })
      .result();
    const managers = sdk.spans.map(({ name, attributes }) => `${name}: ${attributes["manager"]}`).sort();
    expect(managers).toEqual([
      ...["process inner: two", "process outer: one"],
      ...["send inner: two", "send outer: one"],
    ]);
    expect(sdk.named("send inner").map(parentOf)).toEqual([idOf(sdk.named("process outer")[0])]);
  });
});

describe("a call that was not sampled", () => {
  const byName: Sampler = {
    shouldSample: (_context, _traceId, name) => ({
      decision: name === "quiet" ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED,
    }),
    toString: () => "by name",
  };

  it.each(["link", "parent"] as const)("stays so in its attempts and what they do: %s", async (relation) => {
    const sdk = new TraceSdk({ sampler: new ParentBasedSampler({ root: byName }) });
    const { tasks } = traceManager(
      { maxAttempts: 2, backoff: fixed({ delayMs: 1 }) },
      { traces: { relation } },
      sdk,
    );
    const flags: unknown[] = [];
    const work = async ({ attempt }: { attempt: number }) => {
      startOwnSpan("own");
      flags.push(trace.getActiveSpan()?.spanContext().traceFlags);
      await tasks.enqueue(() => startOwnSpan("inner")).result();
      if (attempt === 1) throw new Error("again");
    };
    const quiet = sdk.inSpan("quiet", () => tasks.enqueue(work));
    await tasks.clock.advance(1);
    await quiet.result();
    const contextless = sdk.inSpan("quiet", () => tasks.enqueue(work, { context: false }));
    await tasks.clock.advance(1);
    await contextless.result();
    expect(flags).toEqual([0, 0, 0, 0]);
    expect(sdk.spans).toEqual([]);

    const loud = sdk.inSpan("loud", () => tasks.enqueue(work));
    await tasks.clock.advance(1);
    await loud.result();
    expect(sdk.named("own")).toHaveLength(2);
    expect(sdk.named("inner")).toHaveLength(2);
    expect(sdk.attempts).toHaveLength(4);
  });

  it("still tells the attempt which trace it belongs to", async () => {
    const sdk = new TraceSdk({ sampler: new ParentBasedSampler({ root: byName }) });
    const { tasks } = traceManager({}, {}, sdk);
    const traceId = () => trace.getActiveSpan()?.spanContext().traceId;
    const [outer, handle] = sdk.inSpan("quiet", () => [traceId(), tasks.enqueue(traceId)] as const);
    expect(await handle.result()).toBe(outer);
    expect(outer).toMatch(/^[0-9a-f]{32}$/);
  });

  it("is every call where the SDK samples nothing", async () => {
    const { sdk, tasks } = traceManager({}, {}, new TraceSdk({ sampler: new AlwaysOffSampler() }));
    await tasks.enqueue(() => startOwnSpan("own")).result();
    expect(sdk.spans).toEqual([]);
    expect(tasks.stats().observerErrors).toBe(0);
  });
});

describe("baggage", () => {
  const seen = () =>
    propagation
      .getActiveBaggage()
      ?.getAllEntries()
      .map(([key, { value }]) => `${key}=${value}`);
  const within = <T>(call: () => T): T => {
    const baggage = propagation.createBaggage({ tenant: { value: "acme" }, secret: { value: "s3cret" } });
    return context.with(propagation.setBaggage(context.active(), baggage), call);
  };

  it("that was chosen comes to a task that gave up its context, and nothing else does", async () => {
    const { tasks } = traceManager({}, { traces: { baggage: ["tenant", "region"] } });
    expect(await within(() => tasks.enqueue(seen, { context: false })).result()).toEqual(["tenant=acme"]);
    expect(await tasks.enqueue(seen, { context: false }).result()).toBeUndefined();
  });

  it("does not come to it by default", async () => {
    const { tasks } = traceManager();
    expect(await within(() => tasks.enqueue(seen, { context: false })).result()).toBeUndefined();
  });

  it("is all there where the task keeps the context of its call", async () => {
    const { tasks } = traceManager({}, { traces: { baggage: ["tenant"] } });
    expect(await within(() => tasks.enqueue(seen)).result()).toEqual(["tenant=acme", "secret=s3cret"]);
  });

  it("comes also where the call is not sampled, and to each attempt", async () => {
    const sdk = new TraceSdk({ sampler: new AlwaysOffSampler() });
    const options = { maxAttempts: 2, backoff: fixed({ delayMs: 1 }) };
    const { tasks } = traceManager(options, { traces: { baggage: ["tenant"] } }, sdk);
    const all: unknown[] = [];
    const handle = within(() =>
      tasks.enqueue(
        ({ attempt }) => {
          all.push(seen());
          if (attempt === 1) throw new Error("again");
        },
        { context: false },
      ),
    );
    await tasks.clock.advance(1);
    await handle.result();
    expect(all).toEqual([["tenant=acme"], ["tenant=acme"]]);
  });
});

describe("the headers of a task that waits", () => {
  it("lead back to its call, with the baggage that was chosen, whatever propagator is registered", () => {
    const { sdk, tasks } = traceManager({ autoStart: false }, { traces: { baggage: ["tenant"] } });
    propagation.disable();
    const baggage = propagation.createBaggage({ tenant: { value: "a & b" }, secret: { value: "s3cret" } });
    const handle = context.with(propagation.setBaggage(context.active(), baggage), () =>
      tasks.enqueue(() => 1),
    );
    const captured = tasks.core.registry.get(handle.id)?.captured as CapturedContext | undefined;
    const { traceId, spanId } = sdk.sends[0]?.spanContext() ?? {};
    expect(captured?.headers).toEqual({
      traceparent: `00-${traceId}-${spanId}-01`,
      baggage: "tenant=a%20%26%20b",
    });
  });
});

describe("what came with headers alone", () => {
  it("is linked to the call that they tell of", async () => {
    const { sdk, tasks } = traceManager();
    using tracer = new TaskTracer(api, tasks[instrumentation](), {});
    const { traceId, spanId } = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
    const outcome = { returned: true, value: "mine" } as const;
    const run = (headers: CapturedContext["headers"]) => tracer.run({ headers }, newTask(), () => outcome);
    expect(run({ traceparent: `00-${traceId}-${spanId}-01` })).toBe(outcome);
    tracer[Symbol.dispose]();
    expect(sdk.attempts.map(linksOf)).toEqual([[`${traceId}-${spanId}`]]);
    expect(run({ traceparent: `00-${traceId}-${spanId}-00` })).toBe(outcome);
    expect(sdk.spans).toHaveLength(1);
  });

  it("has no span where they tell of a call that was not sampled", () => {
    const { sdk, tasks } = traceManager();
    const tracer = new TaskTracer(api, tasks[instrumentation](), {});
    const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" };
    const active = () => trace.getSpanContext(context.active())?.spanId;
    let seen: string | undefined;
    tracer.run({ headers }, newTask(), () => {
      seen = active();
      return { returned: true, value: 1 };
    });
    tracer[Symbol.dispose]();
    expect(seen).toBe("b7ad6b7169203331");
    expect(sdk.spans).toEqual([]);
  });
});

describe("a task that was accepted before its manager was instrumented", () => {
  it("has a span for its attempt, linked to the span that its call was made in", async () => {
    const sdk = new TraceSdk().register();
    const { tasks } = traceManager({ autoStart: false }, {}, sdk);
    const plain = tasks.enqueue(() => 1);
    const { tasks: late, instrumented } = traceManager({ autoStart: false }, {}, sdk);
    instrumented[Symbol.dispose]();
    const early = sdk.inSpan("request", () => late.enqueue(() => 1, { queue: "early" }));
    const alone = late.enqueue(() => 1, { queue: "alone" });
    instrument(late);
    late.start();
    tasks.start();
    await Promise.all([plain.result(), early.result(), alone.result()]);
    expect(sdk.named("send early")).toEqual([]);
    expect(sdk.named("process early").map(linksOf)).toEqual([[idOf(sdk.named("request")[0])]]);
    expect(sdk.named("process alone").map(linksOf)).toEqual([[]]);
  });
});
