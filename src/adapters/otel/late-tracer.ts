import type { Tracer, TracerProvider } from "@opentelemetry/api";
import type { Guard } from "./guard.js";
import type { OtelApi } from "./otel-api.js";
import { SCOPE } from "./scope.js";

/**
 * The global provider of the API is there from the beginning, and stands for one that comes. What it has is
 * asked for by name, since a program may hold several copies of the API.
 */
interface Proxy {
  getDelegate(): TracerProvider;
  getDelegateTracer(name: string, version?: string): Tracer | undefined;
}

/** So many questions whether there is an SDK are answered by a short look, and the next by a whole one. */
const SHORT_LOOKS = 15;

/**
 * Gives the tracer as soon as there is one. Who stands behind the global provider is looked up at each use,
 * which costs less than a span that nobody keeps; so an SDK may come late, and be replaced by another.
 *
 * While there is none, tasks pay for the question alone. So mostly it is asked of the stand-in that was there
 * from the beginning; only a second copy of the API would put another one in its place.
 */
export class LateTracer {
  readonly #api: OtelApi;
  readonly #guard: Guard;
  readonly #given: TracerProvider | undefined;
  /** What has stood in for an SDK from the beginning, and who has stood behind it. */
  readonly #standIn: Proxy | undefined;
  readonly #nobody: TracerProvider | undefined;
  #shortLooks = 0;
  /** Of whom the tracer was taken. */
  #provider: TracerProvider | undefined;
  #tracer: Tracer | undefined;

  /** @param given the provider to use; undefined for the global one */
  constructor(api: OtelApi, guard: Guard, given: TracerProvider | undefined) {
    this.#api = api;
    this.#guard = guard;
    this.#given = given;
    if (this.present) return;
    const provider = given ?? api.trace.getTracerProvider();
    this.#standIn = isProxy(provider) ? provider : undefined;
    this.#nobody = guard.call(() => this.#standIn?.getDelegate());
  }

  /**
   * Whether there is an SDK. Never throws, since each enqueue call asks: where the provider does, whoever
   * wants its tracer is told.
   */
  get present(): boolean {
    try {
      return !this.#isQuiet() && this.find() !== undefined;
    } catch {
      return true;
    }
  }

  #isQuiet(): boolean {
    if (this.#standIn === undefined || this.#tracer !== undefined) return false;
    this.#shortLooks = this.#shortLooks === SHORT_LOOKS ? 0 : this.#shortLooks + 1;
    if (this.#shortLooks === 0) return false;
    const provider = this.#standIn.getDelegate();
    if (provider === this.#nobody) return true;
    this.#guard.settled(provider);
    return false;
  }

  /** The tracer of this moment; undefined while there is no SDK. Throws what the provider does. */
  find(): Tracer | undefined {
    const given = this.#given ?? this.#api.trace.getTracerProvider();
    const proxy = isProxy(given) ? given : undefined;
    const provider = proxy === undefined ? given : this.#guard.settled(proxy.getDelegate());
    if (provider === this.#provider) return this.#tracer;
    const { name, version } = SCOPE;
    this.#tracer = this.#guard.settled(
      proxy === undefined ? given.getTracer(name, version) : proxy.getDelegateTracer(name, version),
    );
    this.#provider = provider; // not before: one that has failed is asked again
    return this.#tracer;
  }
}

function isProxy(provider: TracerProvider): provider is TracerProvider & Proxy {
  const { getDelegate, getDelegateTracer } = provider as Partial<Proxy>;
  return typeof getDelegate === "function" && typeof getDelegateTracer === "function";
}
