// Metrics and traces by OTLP to a collector: that of OTEL_EXPORTER_OTLP_ENDPOINT, or http://localhost:4318.
import { metrics, trace } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { TaskManager } from "millrace";
import { instrument } from "millrace/otel";

const resource = resourceFromAttributes({ "service.name": "reports" });
const meterProvider = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() })],
});
const tracerProvider = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
metrics.setGlobalMeterProvider(meterProvider);
tracerProvider.register();

const tasks = new TaskManager();
const watching = instrument(tasks, { processDuration: true });
const tracer = trace.getTracer("reports");

const pages = ["summary", "figures", "appendix"].map((page) =>
  tasks.enqueue(
    () =>
      tracer.startActiveSpan("render", (span) => {
        span.end();
        if (page === "appendix") throw new RangeError("no appendix");
        return `${page} rendered`;
      }),
    { queue: "pages" },
  ),
);
for (const outcome of await Promise.allSettled(pages.map((page) => page.result())))
  console.log(outcome.status === "fulfilled" ? outcome.value : outcome.reason.message);

await tasks.stopGraceful();
await Promise.all([meterProvider.shutdown(), tracerProvider.shutdown()]); // what has not been exported yet
watching[Symbol.dispose]();

// Prints:
// summary rendered
// figures rendered
// no appendix
