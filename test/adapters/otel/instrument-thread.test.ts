import { AsyncLocalStorage } from "node:async_hooks";
import { context, propagation } from "@opentelemetry/api";
import { ParentBasedSampler, type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace-node";
import { describe, expect, onTestFinished, test } from "vitest";
// Threads run what is compiled, and so does the manager that hands tasks to them.
import { type InstrumentOptions, instrument, instrumentThread } from "../../../dist/adapters/otel/index.js";
import { defineHandlers, fixed, json, TaskManager, type TaskManagerOptions } from "../../../dist/index.js";
import { idOf, linksOf, parentOf, TraceSdk } from "../../support/traced-manager.js";

const fixture = (name: string) => new URL(`../../fixtures/threads-otel/${name}`, import.meta.url);

/** What `spans.mjs` is given, and what it gives. */
interface Traced {
  readonly label: string;
  readonly fails?: number;
  readonly inner?: string;
}
interface Seen {
  readonly active?: { readonly traceId: string; readonly spanId: string; readonly traceFlags: number };
  readonly baggage?: readonly string[];
  readonly spans: readonly { readonly name: string; readonly parent?: string; readonly isRemote?: boolean }[];
}

const handlers = defineHandlers({
  spans: { payload: json<Traced>(), module: fixture("spans.mjs"), queue: "outer" },
  inner: { payload: json<Traced>(), module: fixture("spans.mjs"), queue: "inner" },
  counted: { payload: json<{ fails?: boolean; later?: boolean }>(), module: fixture("counted.mjs") },
});

type Manager = TaskManager<typeof handlers>;

/** A manager with one thread that imports a module first; an SDK is there on the main thread. */
function createThreaded(options: TaskManagerOptions = {}, preload = "tracing.mjs"): Manager {
  const threads = { max: 1, preload: [fixture(preload)], ...options.threads };
  const tasks = new TaskManager({ handlers, backoff: fixed({ delayMs: 1 }), ...options, threads } as never);
  onTestFinished(async () => void (await tasks.stopNow()));
  return tasks as never;
}

/** The same, instrumented. */
function traceThreaded(options?: TaskManagerOptions, traced?: InstrumentOptions, sdk = new TraceSdk()) {
  sdk.register();
  const tasks = createThreaded(options);
  const instrumented = instrument(tasks, traced);
  onTestFinished(() => instrumented[Symbol.dispose]());
  const run = async (payload: Traced) => (await tasks.execute("spans", payload)) as Seen;
  return { sdk, tasks, instrumented, run };
}

describe("spans that a handler makes in a thread", () => {
  test("are children of the span of their attempt, at once and later", async () => {
    const { sdk, run } = traceThreaded();
    const seen = await Promise.all(["one", "two", "three"].map((label) => run({ label })));
    const attempts = sdk.named("process outer");
    expect(attempts).toHaveLength(3);
    for (const [index, { spans, active }] of seen.entries()) {
      const parent = { parent: idOf(attempts[index]), isRemote: true };
      const label = ["one", "two", "three"][index];
      expect(spans).toEqual([
        { name: `${label}: at once`, ...parent },
        { name: `${label}: later`, ...parent },
      ]);
      expect(active).toMatchObject({ traceFlags: 1, isRemote: true });
    }
  });

  test("belong to the attempt in which they are made, where there are several", async () => {
    const { sdk, tasks } = traceThreaded({ maxAttempts: 3 });
    const { spans } = (await tasks.execute("spans", { label: "again", fails: 2 })) as Seen;
    const attempts = sdk.named("process outer");
    expect(attempts.map(({ attributes }) => attributes["millrace.outcome"])).toEqual([
      ...["retried", "retried", "completed"],
    ]);
    expect(new Set(spans.map(({ parent }) => parent))).toEqual(new Set([idOf(attempts[2])]));
  });

  test("go on in the trace of the call where the relation is parent", async () => {
    const { sdk, run } = traceThreaded({}, { traces: { relation: "parent" } });
    const { active } = await sdk.inSpan("request", () => run({ label: "one" }));
    const [request] = sdk.named("request");
    expect(active?.traceId).toBe(request?.spanContext().traceId);
    expect(idOf(sdk.named("process outer")[0])).toBe(`${active?.traceId}-${active?.spanId}`);
  });

  test("are children of what middleware has put between", async () => {
    const sdk = new TraceSdk();
    const attempt = (_: unknown, next: () => Promise<unknown>) =>
      sdk.provider.getTracer("test").startActiveSpan("middleware", async (span) => {
        const value = await next();
        span.end();
        return value;
      });
    const { run } = traceThreaded({ middleware: [{ name: "spans", attempt }] }, {}, sdk);
    const { spans } = await run({ label: "one" });
    const [middleware] = sdk.named("middleware");
    expect(spans.map(({ parent }) => parent)).toEqual([idOf(middleware), idOf(middleware)]);
    expect(middleware && parentOf(middleware)).toBe(idOf(sdk.named("process outer")[0]));
  });

  test("have the attempt as their parent also where the main thread has no context manager", async () => {
    const sdk = new TraceSdk();
    const tasks = createThreaded();
    using _instrumented = instrument(tasks, { tracerProvider: sdk.provider });
    const { spans } = (await tasks.execute("spans", { label: "one" })) as Seen;
    expect(spans.map(({ parent }) => parent)).toEqual(Array(2).fill(idOf(sdk.named("process outer")[0])));
  });

  test("are roots where the manager is not instrumented", async () => {
    const tasks = createThreaded();
    const { active, spans } = (await tasks.execute("spans", { label: "one" })) as Seen;
    expect(active).toBeUndefined();
    expect(spans.map(({ parent }) => parent)).toEqual([undefined, undefined]);
  });

  test("are roots again when what instrument returned is disposed of", async () => {
    const { instrumented, run } = traceThreaded();
    expect((await run({ label: "one" })).active).toBeDefined();
    instrumented[Symbol.dispose]();
    expect((await run({ label: "two" })).active).toBeUndefined();
  });
});

describe("what a handler in a thread enqueues", () => {
  test("is sent within its attempt, though others have run since", async () => {
    const { sdk, tasks, run } = traceThreaded();
    await Promise.all([run({ label: "outer", inner: "inner" }), run({ label: "other" })]);
    await tasks.drain();
    const outer = sdk.named("process outer").find(({ attributes }) => attributes["millrace.attempt"] === 1);
    const [send] = sdk.named("send inner");
    expect(send && parentOf(send)).toBe(idOf(outer));
    expect(sdk.named("process inner").map(linksOf)).toEqual([[idOf(send)]]);
  });
});

describe("an attempt that is not sampled", () => {
  const byName: Sampler = {
    shouldSample: (_context, _traceId, name) => ({
      decision: name === "quiet" ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED,
    }),
    toString: () => "by name",
  };

  test.each(["link", "parent"] as const)("has no spans in its thread either: %s", async (relation) => {
    const sdk = new TraceSdk({ sampler: new ParentBasedSampler({ root: byName }) });
    const { run } = traceThreaded({}, { traces: { relation } }, sdk);
    const quiet = await sdk.inSpan("quiet", () => run({ label: "one" }));
    expect(quiet).toMatchObject({ active: { traceFlags: 0 }, spans: [] });
    const loud = await sdk.inSpan("loud", () => run({ label: "two" }));
    expect(loud).toMatchObject({ active: { traceFlags: 1 } });
    expect(loud.spans).toHaveLength(2);
  });
});

describe("baggage", () => {
  const within = <T>(call: () => T): T => {
    const baggage = propagation.createBaggage({ tenant: { value: "a & b" }, secret: { value: "s3cret" } });
    return context.with(propagation.setBaggage(context.active(), baggage), call);
  };

  test("that was chosen is seen in the thread, and nothing else is", async () => {
    const { run } = traceThreaded({}, { traces: { baggage: ["tenant", "region"] } });
    expect((await within(() => run({ label: "one" }))).baggage).toEqual(["tenant=a & b"]);
    expect((await run({ label: "two" })).baggage).toBeUndefined();
  });

  test("is not seen there by default", async () => {
    const { run } = traceThreaded();
    expect((await within(() => run({ label: "one" }))).baggage).toBeUndefined();
  });
});

describe("hostile code in a thread harms no task", () => {
  const runAll = async (tasks: Manager) => {
    const payloads = [{}, { fails: true }, { later: true }, { fails: true, later: true }];
    const handles = payloads.map((payload) => tasks.enqueue("counted", payload));
    const settled = await Promise.allSettled(handles.map((handle) => handle.result()));
    return settled.map((end) => (end.status === "fulfilled" ? end.value : String(end.reason)));
  };
  const EACH_ONCE = [1, "RangeError: call 2", 3, "RangeError: call 4"];

  test.each([
    ...["throws before", "throws afterwards", "calls twice", "gives something else"],
    ...["does not call", "throws when it is asked"],
  ])("where a context manager %s", async (workerData) => {
    new TraceSdk().register();
    const tasks = createThreaded({ threads: { workerData } }, "hostile-context.mjs");
    using _instrumented = instrument(tasks);
    expect(await runAll(tasks)).toEqual(EACH_ONCE);
    expect(tasks.stats().threads).toMatchObject({ started: 1, alive: 1, lateFaults: 0 });
  });

  test("where carriers throw, reject, call twice or not at all", async () => {
    const tasks = createThreaded({}, "hostile-carriers.mjs");
    expect(await runAll(tasks)).toEqual(EACH_ONCE);
    expect(tasks.stats().threads).toMatchObject({ started: 1, alive: 1, lateFaults: 0 });
  });
});

describe("instrumentThread outside of a thread", () => {
  test("does nothing, however often it is called", async () => {
    const { sdk, tasks } = traceThreaded();
    for (let calls = 0; calls < 3; calls++) instrumentThread();
    const store = new AsyncLocalStorage<string>();
    const seen = store.run("mine", () => tasks.execute(() => store.getStore()));
    expect(await seen).toBe("mine");
    expect(sdk.attempts).toHaveLength(1);
  });
});
