import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { InstrumentOptions } from "./instrument-options.js";
import type { OtelApi } from "./otel-api.js";

/** Spans for enqueue calls and attempts. */
export class TaskTracer implements Disposable {
  constructor(_api: OtelApi, _point: InstrumentationPoint, _options: InstrumentOptions) {}

  [Symbol.dispose](): void {}
}
