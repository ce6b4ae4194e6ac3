export { instrument } from "./instrument.js";
export type { InstrumentOptions, TraceOptions } from "./instrument-options.js";
export { instrumentThread } from "./instrument-thread.js";
