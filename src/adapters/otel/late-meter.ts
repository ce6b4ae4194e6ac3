import type { Meter, MeterProvider } from "@opentelemetry/api";
import type { Clock, Timer } from "../../ports/clock.js";
import type { Guard } from "./guard.js";
import type { OtelApi } from "./otel-api.js";
import { SCOPE } from "./scope.js";

/** How long to wait before looking for an SDK for the first time by a timer; then twice as long each time. */
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
 * started stays a no-op for ever, unlike a tracer. Most services start their SDK in the same breath, so it
 * looks when the present call has returned, mostly before the first task has started; then an unref'd timer
 * looks, soon at first and later once a second.
 */
export class LateMeter implements Disposable {
  readonly #parts: LateMeterParts;
  readonly #onMeter: (meter: Meter) => void;
  #timer: Timer | undefined;
  #waitMs = FIRST_LOOK_MS;
  #isOver = false;

  constructor(parts: LateMeterParts, onMeter: (meter: Meter) => void) {
    this.#parts = parts;
    this.#onMeter = onMeter;
    this.look();
    if (this.#isOver) return;
    queueMicrotask(() => this.look());
    this.#lookLater();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  /** Looks now. A provider that throws is not asked again. */
  look(): void {
    if (this.#isOver) return;
    const { api, guard, provider } = this.#parts;
    const failed = !guard.succeeds(() => {
      const meter = (provider ?? api.metrics.getMeterProvider()).getMeter(SCOPE.name, SCOPE.version);
      guard.settled(meter);
      if (provider === undefined && meter === api.createNoopMeter()) return;
      this[Symbol.dispose]();
      this.#onMeter(meter);
    });
    if (failed) this[Symbol.dispose]();
  }

  #lookLater(): void {
    const { clock, wanted } = this.#parts;
    this.#timer = clock.setTimeout(() => {
      this.look();
      if (!this.#isOver && wanted()) this.#lookLater();
    }, this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LOOK_EVERY_MS);
  }
}
