import type { Meter, MeterProvider } from "@opentelemetry/api";
import type { Clock, Timer } from "../../ports/clock.js";
import type { Guard } from "./guard.js";
import type { OtelApi } from "./otel-api.js";
import { SCOPE } from "./scope.js";

/** When to look for the first time whether an SDK has registered itself; each wait is twice the one before. */
const FIRST_LOOK_MS = 1;

/** The longest wait. */
const LOOK_EVERY_MS = 1_000;

export interface LateMeterParts {
  readonly api: OtelApi;
  readonly clock: Clock;
  readonly guard: Guard;
  /** The one to use; undefined for the global one, as soon as there is one. */
  readonly provider: MeterProvider | undefined;
  /** False when nobody will ever want a meter again. */
  readonly wanted: () => boolean;
}

/**
 * Gives the meter as soon as there is one: a meter that is taken from the global API before the SDK has
 * started stays a no-op for ever, unlike a tracer. While there is none, an unref'd timer looks: soon at
 * first, since most services start their SDK in the same breath, later once a second.
 */
export class LateMeter implements Disposable {
  readonly #parts: LateMeterParts;
  readonly #onMeter: (meter: Meter) => void;
  #timer: Timer | undefined;
  #waitMs = FIRST_LOOK_MS;

  constructor(parts: LateMeterParts, onMeter: (meter: Meter) => void) {
    this.#parts = parts;
    this.#onMeter = onMeter;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }

  /** A provider that throws is not asked again. */
  #look(): void {
    const { api, guard, provider } = this.#parts;
    guard.call(() => {
      const meter = (provider ?? api.metrics.getMeterProvider()).getMeter(SCOPE.name, SCOPE.version);
      guard.settled(meter);
      if (provider !== undefined || meter !== api.createNoopMeter()) this.#onMeter(meter);
      else this.#lookAgain();
    });
  }

  #lookAgain(): void {
    const { clock, wanted } = this.#parts;
    if (!wanted()) return;
    this.#timer = clock.setTimeout(() => this.#look(), this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LOOK_EVERY_MS);
  }
}
