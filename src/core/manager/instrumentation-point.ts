import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import { atRoot } from "./at-root.js";
import type { Core } from "./core.js";
import { toReadings } from "./readings.js";

/** What the parts of a manager offer to whoever watches it from outside the core. */
export function toInstrumentationPoint(core: Core): InstrumentationPoint {
  const { carriers, clock, durable, journal, lifecycle, mishaps, observerErrors, planner, tallies } = core;
  return {
    clock,
    get phase() {
      return lifecycle.phase;
    },
    listen: (listener, types) => journal.events.subscribe(listener, types),
    listenToMishaps: (listener) => mishaps.listen(listener),
    listenToStore: (listener) => durable?.calls.listen(listener) ?? { [Symbol.dispose]: () => {} },
    countStore: () => durable?.counts(),
    attach: (carrier) => carriers.attach(carrier),
    recordError: (error, source) => observerErrors.record(error, source),
    read: () => toReadings(core),
    atRoot: (callback) => atRoot(carriers, callback),
    tallyOf: (queue, handler) => tallies.of(queue, handler),
    laneOf: (handler) => planner.laneOf(handler),
  };
}
