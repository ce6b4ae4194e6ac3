import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { Core } from "./core.js";
import { toReadings } from "./readings.js";

/** What is offered to those who watch a manager from outside the core. */
export function toInstrumentationPoint(core: Core): InstrumentationPoint {
  const { carriers, clock, journal, mishaps, observerErrors, tallies } = core;
  return {
    clock,
    listen: (listener, types) => journal.events.subscribe(listener, types),
    listenToMishaps: (listener) => mishaps.listen(listener),
    attach: (carrier) => carriers.attach(carrier),
    recordError: (error, source) => observerErrors.record(error, source),
    read: () => toReadings(core),
    tallyOf: (queue, handler) => tallies.of(queue, handler),
  };
}
