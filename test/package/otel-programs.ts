/** Programs of users of `millrace/otel`, as ESM; `toCommonJs` turns one into CommonJS. */

const scrape = `
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const scrape = async () => serializer.serialize((await reader.collect()).resourceMetrics);
  const counted = (text, name) => Number(text.match(new RegExp("^" + name + "\\\\{.*\\\\} (\\\\d+)$", "m"))?.[1] ?? 0);`;

/** Its SDK starts in the same breath as the manager, but after it. */
export const sdkAfterInstrument = `
  import { metrics } from "@opentelemetry/api";
  import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
  import { MeterProvider } from "@opentelemetry/sdk-metrics";
  import { TaskManager } from "millrace";
  import { instrument } from "millrace/otel";
  const tasks = new TaskManager();
  instrument(tasks);
  const reader = new PrometheusExporter({ preventServerStart: true });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  ${scrape}
  const main = async () => {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await tasks.execute(() => 1);
    const text = await scrape();
    console.log(counted(text, "tasks_completed_total"), counted(text, "task_latency_seconds_count"));
  };
  main();
`;

/** Its SDK starts when tasks have run already; then it runs further ones until the histograms have begun. */
export const sdkAfterTasks = `
  import { metrics } from "@opentelemetry/api";
  import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
  import { MeterProvider } from "@opentelemetry/sdk-metrics";
  import { TaskManager } from "millrace";
  import { instrument } from "millrace/otel";
  const tasks = new TaskManager();
  instrument(tasks);
  const reader = new PrometheusExporter({ preventServerStart: true });
  ${scrape}
  const main = async () => {
    for (let count = 0; count < 5; count++) await tasks.execute(() => count);
    await new Promise((resolve) => setTimeout(resolve, 300));
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    let text = "";
    do {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await tasks.execute(() => 1);
      text = await scrape();
    } while (counted(text, "task_latency_seconds_count") === 0);
    const { completed } = tasks.stats().total;
    const latencies = counted(text, "task_latency_seconds_count");
    console.log(counted(text, "tasks_completed_total") === completed, completed - latencies >= 5);
  };
  main();
`;

/** There is no SDK, and nobody stops the manager: nothing must keep the process alive. */
export const withoutSdk = `
  import { TaskManager } from "millrace";
  import { instrument } from "millrace/otel";
  const tasks = new TaskManager();
  instrument(tasks);
  tasks.execute(() => 1).then((value) => console.log("ran", value));
`;

/** Managers that nobody refers to any more, with and without an SDK: what looked at them must let them go. */
export const letGo = `
  import { MeterProvider } from "@opentelemetry/sdk-metrics";
  import { TaskManager } from "millrace";
  import { instrument } from "millrace/otel";
  const meterProvider = new MeterProvider();
  const use = async (options, dispose) => {
    const tasks = new TaskManager();
    const watching = instrument(tasks, options);
    await tasks.execute(() => 1);
    if (dispose) watching[Symbol.dispose]();
    await tasks.stopGraceful();
    return new WeakRef(tasks);
  };
  const main = async () => {
    const used = [await use(undefined, false), await use(undefined, true), await use({ meterProvider }, true)];
    for (let wait = 0; wait < 50 && used.some((one) => one.deref() !== undefined); wait++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      gc();
    }
    console.log(used.map((one) => one.deref() === undefined).join(" "));
  };
  main();
`;

/** Instrumented from within a request: what watches the event loop must not keep that request's store. */
export const letContextGo = `
  import { AsyncLocalStorage } from "node:async_hooks";
  import { MeterProvider } from "@opentelemetry/sdk-metrics";
  import { TaskManager } from "millrace";
  import { instrument } from "millrace/otel";
  const requests = new AsyncLocalStorage();
  const tasks = new TaskManager();
  const serve = (store) => {
    requests.run(store, () => instrument(tasks, { meterProvider: new MeterProvider() }));
    return new WeakRef(store);
  };
  const main = async () => {
    const store = serve({ secret: "of a request" });
    for (let wait = 0; wait < 50 && store.deref() !== undefined; wait++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      gc();
    }
    console.log(store.deref() === undefined, tasks.stats().phase);
  };
  main();
`;

/** Traces a handler that runs in a worker thread, where `tracing.mjs` has been imported before. */
export const tracedThread = `
  import { pathToFileURL } from "node:url";
  import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
  import { defineHandlers, json, TaskManager } from "millrace";
  import { instrument } from "millrace/otel";
  const exporter = new InMemorySpanExporter();
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  const at = (name) => pathToFileURL(process.cwd() + "/" + name);
  const handlers = defineHandlers({ ask: { payload: json(), module: at("ask.mjs") } });
  const tasks = new TaskManager({ handlers, threads: { preload: [at("tracing.mjs")] } });
  instrument(tasks);
  const main = async () => {
    const parent = await tasks.execute("ask", null);
    await tasks.stopGraceful();
    const [, attempt] = exporter.getFinishedSpans();
    console.log(attempt.name, attempt.spanContext().spanId === parent);
  };
  main();
`;

/** What that imports: `tracing.mjs` starts an SDK in the thread, and `ask.mjs` says whose child its span is. */
export const threadModules = {
  "tracing.mjs": `
    import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
    import { instrumentThread } from "millrace/otel";
    new NodeTracerProvider().register();
    instrumentThread();`,
  "ask.mjs": `
    import { trace } from "@opentelemetry/api";
    export default () => {
      const span = trace.getTracer("handler").startSpan("own");
      span.end();
      return span.parentSpanContext?.spanId;
    };`,
};

export function toCommonJs(text: string): string {
  return text.replaceAll(/import (\{.*\}) from (".*");/g, "const $1 = require($2);");
}
