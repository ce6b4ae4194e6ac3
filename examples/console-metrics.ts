// Metrics on the console, for a look at what there is. The SDK starts after the manager: that is no matter.
import { metrics } from "@opentelemetry/api";
import {
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { TaskManager } from "millrace";
import { instrument } from "millrace/otel";

const tasks = new TaskManager({ concurrency: 2 });
const watching = instrument(tasks, { name: "reports" });

/** The `ConsoleMetricExporter` of the SDK prints everything; this one each counter that has counted. */
const exporter: PushMetricExporter = {
  export({ scopeMetrics }: ResourceMetrics, done) {
    for (const { descriptor, dataPointType, dataPoints } of scopeMetrics.flatMap((scope) => scope.metrics)) {
      if (dataPointType !== DataPointType.SUM) continue;
      for (const { value, attributes } of dataPoints)
        if (value > 0) console.log(descriptor.name, value, JSON.stringify(attributes));
    }
    done({ code: 0 });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};
const provider = new MeterProvider({
  readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 10_000 })],
});
metrics.setGlobalMeterProvider(provider);

const slow = tasks.subscribe({ name: "slow-reader", capacity: 1 });
for (let page = 1; page <= 3; page++) tasks.enqueue(() => `page ${page}`, { queue: "pages" });
const hopeless = tasks.enqueue(() => {
  throw new Error("no such file");
});
await hopeless.result().catch(() => {});
await tasks.stopGraceful();

await provider.shutdown(); // exports what has come since the last time
slow[Symbol.dispose]();
watching[Symbol.dispose]();

// Prints:
// tasks_scheduled_total 1 {"manager":"reports","queue":"default","handler":"(function)"}
// tasks_scheduled_total 3 {"manager":"reports","queue":"pages","handler":"(function)"}
// tasks_started_total 1 {"manager":"reports","queue":"default","handler":"(function)"}
// tasks_started_total 3 {"manager":"reports","queue":"pages","handler":"(function)"}
// tasks_completed_total 3 {"manager":"reports","queue":"pages","handler":"(function)"}
// tasks_failed_total 1 {"manager":"reports","queue":"default","handler":"(function)","reason":"error"}
// results_published_total 4 {"manager":"reports"}
// results_dropped_total 3 {"manager":"reports","subscription":"slow-reader"}
