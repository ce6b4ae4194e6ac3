import { type TracerProvider, trace } from "@opentelemetry/api";
import { afterEach, describe, expect, it } from "vitest";
import { instrument } from "../../../src/adapters/otel/index.js";
import { coreOf, TaskManager } from "../../../src/task-manager.js";
import { ManualClock } from "../../../src/testing/index.js";
import { observeManager } from "../../support/observed-manager.js";
import { idOf, linksOf, TraceSdk, traceManager, unregister } from "../../support/traced-manager.js";

afterEach(unregister);

describe("without an SDK", () => {
  it("nothing is captured, wrapped or listened to", async () => {
    const tasks = new TaskManager({ clock: new ManualClock() });
    using _instrumented = instrument(tasks);
    const { carriers, journal } = coreOf(tasks);
    const handle = tasks.enqueue(() => new Error().stack);
    expect(carriers.attached).toBe(false);
    expect(await handle.result()).not.toContain("task-tracer");
    expect(journal.events.heard.finished).toBe(0);
    await tasks.stopNow();
  });

  it("is also when the provider that was given stands for one that has not come", async () => {
    const tasks = observeManager();
    using _instrumented = instrument(tasks, { tracerProvider: trace.getTracerProvider() });
    expect(tasks.core.carriers.attached).toBe(false);
    const sdk = new TraceSdk();
    // What an SDK does that registers itself with the API.
    const proxy = trace.getTracerProvider() as TracerProvider & {
      setDelegate(provider: TracerProvider): void;
    };
    proxy.setDelegate(sdk.provider);
    await tasks.enqueue(() => 1).result();
    expect(sdk.spans.map(({ name }) => name)).toEqual(["send default", "process default"]);
    trace.disable();
  });
});

describe("an SDK that comes late", () => {
  it("has spans from then on, also for attempts of tasks that were accepted before", async () => {
    const tasks = observeManager({ autoStart: false });
    using _instrumented = instrument(tasks);
    const before = tasks.enqueue(() => 1, { queue: "before" });
    const sdk = new TraceSdk().register();
    const after = tasks.enqueue(() => 2, { queue: "after" });
    tasks.start();
    await Promise.all([before.result(), after.result()]);
    expect(sdk.sends.map(({ name }) => name)).toEqual(["send after"]);
    expect(sdk.named("process before").map(linksOf)).toEqual([[]]);
    expect(sdk.named("process after").map(linksOf)).toEqual([[idOf(sdk.sends[0])]]);
  });

  it("is seen before long when another copy of the API has registered it", async () => {
    const tasks = observeManager();
    using _instrumented = instrument(tasks);
    for (let count = 0; count < 20; count++) await tasks.enqueue(() => 1).result();
    const sdk = new TraceSdk().register();
    const theirs = trace.getTracerProvider();
    trace.disable(); // this copy has forgotten it
    const registry = globalThis as Record<symbol, { trace?: TracerProvider } | undefined>;
    const shared = registry[Symbol.for("opentelemetry.js.api.1")];
    expect(shared).toBeDefined();
    if (shared !== undefined) shared.trace = theirs;
    for (let count = 0; count < 20; count++) await tasks.enqueue(() => 1).result();
    expect(sdk.sends.length).toBeGreaterThanOrEqual(10);
    delete shared?.trace;
  });

  it("may come while an attempt runs, and go while another does", async () => {
    const tasks = observeManager();
    using _instrumented = instrument(tasks);
    const ends: (() => void)[] = [];
    const work = () => new Promise<void>((resolve) => ends.push(resolve));
    const running = tasks.enqueue(work);
    await tasks.clock.advance(0);
    const sdk = new TraceSdk().register();
    ends.shift()?.();
    await running.result();
    expect(sdk.spans).toEqual([]);
    const last = tasks.enqueue(work);
    await tasks.clock.advance(0);
    unregister();
    ends.shift()?.();
    await last.result();
    expect(sdk.spans.map(({ name }) => name)).toEqual(["send default", "process default"]);
    await tasks.enqueue(() => 1).result();
    expect(sdk.spans).toHaveLength(2);
    expect(tasks.core.carriers.attached).toBe(false);
  });

  it("may be followed by another, which then has the spans", async () => {
    const { sdk: first, tasks } = traceManager();
    await tasks.enqueue(() => 1).result();
    unregister();
    const second = new TraceSdk().register();
    await tasks.enqueue(() => 1).result();
    expect([first.spans.length, second.spans.length]).toEqual([2, 2]);
  });
});

describe("a provider that was given", () => {
  it("has the spans, and the global one has none", async () => {
    const given = new TraceSdk();
    const { sdk, tasks } = traceManager({}, { tracerProvider: given.provider });
    await tasks.enqueue(() => 1).result();
    expect(given.spans.map(({ name }) => name)).toEqual(["send default", "process default"]);
    expect(sdk.spans).toEqual([]);
  });

  it("needs no context manager: calls and attempts are linked without one", async () => {
    const given = new TraceSdk();
    const tasks = observeManager();
    using _instrumented = instrument(tasks, { tracerProvider: given.provider });
    await tasks.enqueue(() => 1).result();
    expect(given.attempts.map(linksOf)).toEqual([[idOf(given.sends[0])]]);
  });
});
