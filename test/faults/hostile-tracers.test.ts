import { context, type Span, SpanKind, type Tracer, type TracerProvider } from "@opentelemetry/api";
import {
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { instrument } from "../../src/adapters/otel/index.js";
import { fixed, reschedule, type TaskContext } from "../../src/index.js";
import { untilAborted } from "../support/manual-manager.js";
import { observeManager } from "../support/observed-manager.js";
import { TraceSdk, unregister } from "../support/traced-manager.js";

afterEach(unregister);

function boom(): never {
  throw new Error("broken tracer");
}

const rejects = (): Promise<never> => Promise.reject(new Error("broken tracer"));

const sdk = new TraceSdk();
const sound = sdk.provider.getTracer("sound");

/** A tracer whose spans are real but for what is given. */
function spansWith(broken: Partial<Record<keyof Span, unknown>>): TracerProvider {
  return startingSpans((...given) => Object.assign(sound.startSpan(...given), broken));
}

function startingSpans(startSpan: (...given: Parameters<Tracer["startSpan"]>) => unknown): TracerProvider {
  return { getTracer: () => ({ startSpan }) as unknown as Tracer };
}

function processing(processor: Partial<SpanProcessor>): TracerProvider {
  const nothing = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} };
  return new NodeTracerProvider({ spanProcessors: [{ ...nothing, ...processor }] });
}

function exporting(broken: Partial<SpanExporter>): TracerProvider {
  const exporter = { export: () => {}, shutdown: async () => {}, ...broken };
  return new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const JUNK: readonly unknown[] = [undefined, null, 7, "span", {}, [], boom, revoked()];

const HOSTILE: Readonly<Record<string, TracerProvider>> = {
  "has a provider that throws": { getTracer: boom },
  "has a proxy that throws": Object.assign(
    { getTracer: boom },
    { getDelegate: boom, getDelegateTracer: boom },
  ),
  "is no tracer": { getTracer: () => ({}) as Tracer },
  "is null": { getTracer: () => null as unknown as Tracer },
  "throws when a span starts": startingSpans(boom),
  "throws at every second span": everySecond(),
  "has spans without a context": spansWith({ spanContext: () => undefined }),
  "has a context that throws": spansWith({ spanContext: boom }),
  "has contexts of junk": spansWith({ spanContext: () => ({ traceId: 7, spanId: {}, traceFlags: "yes" }) }),
  "has contexts that are not valid": spansWith({
    spanContext: () => ({ traceId: "no", spanId: "no", traceFlags: 1 }),
  }),
  "does not end spans": spansWith({ end: boom }),
  "throws at everything that is done with a span": spansWith({
    ...{ setAttribute: boom, setAttributes: boom, addEvent: boom, setStatus: boom, isRecording: boom },
    ...{ end: boom, updateName: boom, recordException: boom },
  }),
  "throws at everything but its beginning": spansWith({
    ...{ setAttribute: boom, setAttributes: boom, addEvent: boom, setStatus: boom, end: boom },
  }),
  "has a provider that rejects": { getTracer: rejects as never },
  "has a proxy that rejects": Object.assign(
    { getTracer: boom },
    { getDelegate: rejects, getDelegateTracer: rejects },
  ),
  "rejects when a span starts": startingSpans(rejects),
  "has a context that rejects": spansWith({ spanContext: rejects }),
  "rejects when it is asked whether a span records": spansWith({ isRecording: rejects }),
  "rejects when a span ends": spansWith({ end: rejects }),
  "rejects at everything but its beginning": spansWith({
    ...{ setAttribute: rejects, setAttributes: rejects, addEvent: rejects, setStatus: rejects },
    ...{ end: rejects, isRecording: rejects, updateName: rejects, recordException: rejects },
  }),
  "has a processor that throws at the start": processing({ onStart: boom }),
  "has a processor that throws at the end": processing({ onEnd: boom }),
  "has an exporter that never answers": exporting({}),
  "has an exporter that throws": exporting({ export: boom }),
  "has an exporter that fails": exporting({
    export: (_spans, done) => done({ code: 1, error: new Error("no") }),
  }),
  ...Object.fromEntries(
    JUNK.map((junk, index) => [`has junk ${index} for spans`, startingSpans(() => junk)]),
  ),
};

function everySecond(): TracerProvider {
  let count = 0;
  return startingSpans((...given) => (++count % 2 === 0 ? boom() : sound.startSpan(...given)));
}

interface Outcomes {
  readonly ends: readonly string[];
  readonly performed: readonly string[];
  readonly errors: number;
}

/** What becomes of handlers that end in every way there is. */
async function outcomes(tracerProvider?: TracerProvider): Promise<Outcomes> {
  const tasks = observeManager({ backoff: fixed({ delayMs: 1 }), killAfterMs: 5, maxAttempts: 2 });
  const traces = { baggage: ["tenant"] };
  if (tracerProvider !== undefined) {
    const instrumented = instrument(tasks, { tracerProvider, traces });
    onTestFinished(() => instrumented[Symbol.dispose]());
  }
  const performed: string[] = [];
  const enqueue = (name: string, work: (context: TaskContext) => unknown, options = {}) =>
    tasks.enqueue(
      (context) => {
        performed.push(`${name} ${context.attempt}`);
        return work(context);
      },
      { ...options, name },
    );
  const turns: unknown[] = [reschedule({ delayMs: 1 })];
  const handles = [
    enqueue("returns", () => "value"),
    enqueue("resolves", async () => "value", { context: false }),
    enqueue("fails", () => Promise.reject(new Error("own"))),
    enqueue("fails once", ({ attempt }) => (attempt === 1 ? Promise.reject(new Error("own")) : attempt)),
    enqueue("reschedules", () => (turns.length > 0 ? Promise.reject(turns.shift()) : "value")),
    enqueue("obeys", untilAborted, { timeoutMs: 5, maxAttempts: 1 }),
    enqueue("is given up", () => new Promise(() => {}), { timeoutMs: 5, maxAttempts: 1 }),
    enqueue("enqueues", (context) => context.enqueue(() => "inner").then(() => "value")),
  ];
  await tasks.clock.advance(20);
  const settled = await Promise.allSettled(handles.map((handle) => handle.result()));
  const ends = settled.map((one) => (one.status === "fulfilled" ? String(one.value) : String(one.reason)));
  return {
    ends: ends.map((end) => end.replace(/Task \S+/, "Task")),
    performed,
    errors: tasks.stats().observerErrors,
  };
}

describe("a tracer that breaks", () => {
  test.each(Object.entries(HOSTILE))(
    "and %s changes no outcome and performs once",
    async (name, provider) => {
      const quiet = await outcomes();
      const hostile = await outcomes(provider);
      expect(hostile.ends).toEqual(quiet.ends);
      expect(hostile.performed).toEqual(quiet.performed);
      const isSilent = /not valid|exporter/.test(name);
      if (isSilent) expect(hostile.errors).toBe(0);
      else expect(hostile.errors).toBeGreaterThanOrEqual(5);
    },
  );

  test("is compared with one that works", async () => {
    const quiet = await outcomes();
    const traced = await outcomes(sdk.provider);
    expect(traced).toEqual(quiet);
    expect(quiet.errors).toBe(0);
  });

  test("in its context manager changes no outcome either", async () => {
    const quiet = await outcomes();
    const managers: readonly Partial<Record<"active" | "with", unknown>>[] = [
      { active: boom },
      { with: boom },
      { active: () => undefined },
      { with: () => undefined },
      {
        with: (_context: unknown, call: () => unknown) => {
          call();
          boom();
        },
      },
    ];
    for (const broken of managers) {
      const manager = {
        active: () => ({ getValue: () => undefined, setValue: boom, deleteValue: boom }),
        with: (_context: unknown, call: () => unknown) => call(),
        ...{ bind: boom, enable: boom, disable() {} },
        ...broken,
      };
      context.setGlobalContextManager(manager as never);
      const hostile = await outcomes(sdk.provider);
      expect([hostile.ends, hostile.performed]).toEqual([quiet.ends, quiet.performed]);
      context.disable();
    }
  });
});

describe("each call of a span", () => {
  const everything = (how: () => unknown) =>
    spansWith({ setAttributes: how, addEvent: how, setStatus: how, end: how });

  test.each([
    ["throws", boom, 11],
    ["rejects", rejects, 11],
    ["never settles", () => new Promise(() => {}), 0],
  ])("that %s leaves the others to be made", async (_, how, errors) => {
    const reported: unknown[] = [];
    const tasks = observeManager({
      ...{ maxAttempts: 2, backoff: fixed({ delayMs: 1 }), killAfterMs: 5 },
      onObserverError: (_error, { source }) => void reported.push(source),
    });
    using _instrumented = instrument(tasks, { tracerProvider: everything(how) });
    // Of its call the end; then attributes, event, type of the error, status and end of its first attempt;
    // then an event, attributes, type of the error, status and end of its second, which is given up.
    const work = ({ attempt }: TaskContext) => (attempt === 1 ? rejects() : new Promise(() => {}));
    const handle = tasks.enqueue(work, { timeoutMs: 50 });
    await tasks.clock.advance(60);
    await expect(handle.result()).rejects.toMatchObject({ code: "MILLRACE_TASK_TIMEOUT" });
    await tasks.clock.settle();
    expect(tasks.stats().observerErrors).toBe(errors);
    expect(reported).toEqual(Array(errors).fill("carrier"));
  });

  test("that is still open when instrumentation ends may reject", async () => {
    const tasks = observeManager();
    const instrumented = instrument(tasks, { tracerProvider: spansWith({ end: rejects }) });
    const handle = tasks.enqueue(untilAborted);
    await tasks.clock.advance(0);
    expect(tasks.stats().observerErrors).toBe(1);
    instrumented[Symbol.dispose]();
    await tasks.clock.settle();
    expect(tasks.stats().observerErrors).toBe(2);
    handle.cancel();
    await Promise.allSettled([handle.result()]);
  });
});

describe("a span processor that enters the manager again", () => {
  test("has its tasks run, and no spans for them, which would have no end", async () => {
    let inner = 0;
    const tasks = observeManager();
    const onStart = () => {
      tasks.enqueue(() => ++inner, { queue: "inner" });
    };
    using _instrumented = instrument(tasks, { tracerProvider: processing({ onStart }) });
    expect(await tasks.enqueue(() => "done").result()).toBe("done");
    await tasks.drain();
    expect(inner).toBe(2); // one for the call, one for the attempt
    expect(tasks.stats()).toMatchObject({ total: { completed: 3 }, observerErrors: 0 });
  });

  const enders: Readonly<Record<string, (enqueue: () => void) => TracerProvider>> = {
    "when a span ends": (enqueue) => processing({ onEnd: enqueue }),
    "when a span ends, and throws": (enqueue) =>
      processing({
        onEnd: () => {
          enqueue();
          boom();
        },
      }),
    "when it hears what became of an attempt": (enqueue) => spansWith({ setAttributes: enqueue }),
    "when it hears of an event": (enqueue) => spansWith({ addEvent: enqueue }),
    "when it hears of a failure": (enqueue) => spansWith({ setStatus: enqueue }),
  };

  test.each(Object.entries(enders))("%s has no spans of its own to end", async (name, provide) => {
    let inner = 0;
    const tasks = observeManager({ maxAttempts: 2, backoff: fixed({ delayMs: 0 }) });
    const work = ({ attempt }: TaskContext) => (attempt === 1 ? rejects() : "done");
    const enqueue = () => {
      if (++inner < 100) tasks.enqueue(work, { queue: "inner" });
    };
    using _instrumented = instrument(tasks, { tracerProvider: provide(enqueue) });
    expect(await tasks.enqueue(work).result()).toBe("done");
    await tasks.drain();
    // Three spans end; of two attempts, one of which fails, it is told what became of them.
    const told = name.includes("ends") ? 3 : name.includes("became") ? 3 : 1;
    expect([inner, tasks.stats().total.completed]).toEqual([told, told + 1]);
  });

  test("when a span ends keeps no call from being traced that a handler makes", async () => {
    let audits = 0;
    const tasks = observeManager();
    const onEnd = () => {
      if (++audits < 100) tasks.enqueue(() => "audited", { queue: "audit" });
    };
    const nothing = { onStart() {}, forceFlush: async () => {}, shutdown: async () => {} };
    const own = new TraceSdk({ processors: [{ ...nothing, onEnd }] });
    using _instrumented = instrument(tasks, { tracerProvider: own.provider });
    await tasks.enqueue((context) => context.enqueue(() => "inner", { queue: "inner" })).result();
    await tasks.drain();
    expect(audits).toBe(4);
    expect(own.sends.map(({ name }) => name)).toEqual(["send default", "send inner"]);
    expect(own.attempts).toHaveLength(2);
  });

  test("may be an exporter that does its work by tasks: those are not traced", async () => {
    const exported: string[] = [];
    const tasks = observeManager();
    const provider = exporting({
      export: (spans, done) => {
        const names = spans.map(({ name }) => name);
        tasks.enqueue(() => exported.push(...names), { queue: "exporter", context: false });
        done({ code: 0 });
      },
    }) as NodeTracerProvider;
    provider.register();
    using _instrumented = instrument(tasks);
    await tasks.enqueue(() => "done").result();
    await tasks.drain();
    expect(exported).toEqual(["send default", "process default"]);
  });

  test("may cancel, pause and stop", async () => {
    const acts: readonly (() => unknown)[] = [
      () => tasks.cancelAll(),
      () => tasks.pause(),
      () => tasks.stopNow(),
    ];
    let tasks = observeManager();
    for (const act of acts) {
      for (const at of ["onStart", "onEnd"]) {
        tasks = observeManager();
        using _instrumented = instrument(tasks, { tracerProvider: processing({ [at]: () => void act() }) });
        const handle = tasks.enqueue(() => "done");
        await tasks.clock.advance(0);
        tasks.resume();
        await tasks.clock.advance(10);
        await Promise.allSettled([handle.result()]);
        const { total } = tasks.stats();
        expect(total.completed + total.cancelled).toBe(1);
      }
    }
  });

  test("takes no place that was given to the task that it is told of", async () => {
    const tasks = observeManager({ capacity: 1, autoStart: false });
    const refused: unknown[] = [];
    const onStart = () => {
      try {
        tasks.enqueue(() => "inner", { id: "one" });
      } catch (error) {
        refused.push(error);
      }
    };
    using _instrumented = instrument(tasks, { tracerProvider: processing({ onStart }) });
    const handle = tasks.enqueue(() => "outer", { id: "one" });
    expect(tasks.stats().queued).toBe(1);
    tasks.start();
    expect(await handle.result()).toBe("outer");
    expect(refused.length).toBeGreaterThan(0);
  });
});

test("an attempt is linked to its call also where the span of that does not end well", async () => {
  const onEnd = (span: ReadableSpan) => {
    if (span.kind === SpanKind.PRODUCER) boom();
  };
  const nothing = { onStart() {}, forceFlush: async () => {}, shutdown: async () => {} };
  const broken = new TraceSdk({ processors: [{ ...nothing, onEnd }] });
  const tasks = observeManager();
  using _instrumented = instrument(tasks, { tracerProvider: broken.provider });
  await tasks.enqueue(() => 1).result();
  expect(broken.sends).toEqual([]);
  expect(broken.attempts.map(({ links }) => links.length)).toEqual([1]);
  expect(tasks.stats().observerErrors).toBe(1);
});

test("nothing is left of ten thousand attempts: each span has ended once", async () => {
  const tasks = observeManager({
    retention: { maxEntries: 0 },
    maxAttempts: 2,
    backoff: fixed({ delayMs: 0 }),
  });
  let started = 0;
  let ended = 0;
  const tracerProvider = startingSpans((...given) => {
    started++;
    const span = sound.startSpan(...given);
    return Object.assign(span, {
      end: () => {
        ended++;
      },
    });
  });
  const instrumented = instrument(tasks, { tracerProvider });
  const work = ({ attempt }: TaskContext) => {
    if (attempt === 1) throw new Error("again");
  };
  tasks.enqueueMany(Array.from({ length: 5_000 }, () => work));
  await tasks.drain();
  instrumented[Symbol.dispose]();
  expect([started, ended]).toEqual([15_000, 15_000]);
});
