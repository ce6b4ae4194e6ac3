import { type Instrumentable, instrumentation } from "../../ports/instrumentation.js";
import { expected, readOptions } from "../../task/checks.js";
import { Guard } from "./guard.js";
import { INSTRUMENT_CHECKS, type InstrumentOptions } from "./instrument-options.js";
import { LateMeter } from "./late-meter.js";
import { MetricsReporter } from "./metrics-reporter.js";
import { loadOtelApi } from "./otel-api.js";
import { TaskTracer } from "./task-tracer.js";

/**
 * Reports what a manager does to OpenTelemetry: metrics, and a span for each enqueue call and each attempt.
 * It may be called before the SDK has started. Until there is one, tasks pay next to nothing; counters count
 * from the making of the manager all the same, while histograms and spans begin with the SDK.
 *
 * Instrument a manager once, and give each a `name` where a process has several. Dispose of what it returns
 * to end that: a meter provider holds the manager until then, also a stopped one.
 * @throws {OptionError} @throws {PeerMissingError} when `@opentelemetry/api` is not installed
 */
export function instrument(tasks: Instrumentable, options?: InstrumentOptions): Disposable {
  if (!isInstrumentable(tasks)) throw expected("tasks", "a TaskManager", tasks);
  const read = readOptions<InstrumentOptions>("", options, INSTRUMENT_CHECKS);
  const api = loadOtelApi();
  const point = tasks[instrumentation]();
  const guard = new Guard(point);
  const reporter = new MetricsReporter(point, guard, read);
  const meter = new LateMeter(
    {
      ...{ api, guard, clock: point.clock, provider: read.meterProvider },
      wanted: () => point.phase !== "stopped",
    },
    (found) => reporter.report(found),
  );
  // A short program comes to its end before a timer has looked; what it has counted is there to be read.
  const stopping = point.listen(() => meter.look(), ["stopping"]);
  const tracer = new TaskTracer(api, point, read);
  return {
    [Symbol.dispose]: () => {
      stopping[Symbol.dispose]();
      meter[Symbol.dispose]();
      reporter[Symbol.dispose]();
      tracer[Symbol.dispose]();
    },
  };
}

function isInstrumentable(tasks: unknown): tasks is Instrumentable {
  return typeof tasks === "object" && tasks !== null && instrumentation in tasks;
}
