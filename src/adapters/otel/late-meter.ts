import type { Meter, MeterProvider } from "@opentelemetry/api";
import type { Clock, Timer } from "../../ports/clock.js";
import type { OtelApi } from "./otel-api.js";
import { SCOPE } from "./scope.js";

/** How often to look whether an SDK has registered itself. */
const LOOK_EVERY_MS = 1_000;

export interface LateMeterParts {
  readonly api: OtelApi;
  readonly clock: Clock;
  /** The one to use; undefined for the global one, as soon as there is one. */
  readonly provider: MeterProvider | undefined;
  /** False when nobody will ever want a meter again. */
  readonly wanted: () => boolean;
}

/**
 * Gives the meter as soon as there is one: a meter that is taken from the global API before the SDK has
 * started stays a no-op for ever, unlike a tracer. While there is none, an unref'd timer looks every second.
 */
export class LateMeter implements Disposable {
  readonly #parts: LateMeterParts;
  readonly #onMeter: (meter: Meter) => void;
  #timer: Timer | undefined;

  constructor(parts: LateMeterParts, onMeter: (meter: Meter) => void) {
    this.#parts = parts;
    this.#onMeter = onMeter;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { api, clock, provider, wanted } = this.#parts;
    const meter = (provider ?? api.metrics.getMeterProvider()).getMeter(SCOPE.name, SCOPE.version);
    if (provider !== undefined || meter !== api.createNoopMeter()) this.#onMeter(meter);
    else if (wanted()) this.#timer = clock.setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }
}
