import type { Tracer, TracerProvider } from "@opentelemetry/api";
import type { OtelApi } from "./otel-api.js";
import { SCOPE } from "./scope.js";

/** Older and other providers stand for themselves; the global one of the API stands in for one that comes. */
type MaybeProxy = TracerProvider & { getDelegate?: () => TracerProvider };

/**
 * Gives the tracer as soon as there is one. The global provider is there from the beginning and hands its
 * work on to an SDK once that is registered: whom it hands on to is looked up at each use, which costs less
 * than a span that nobody keeps. A tracer is taken anew when the SDK was replaced by another.
 */
export class LateTracer {
  readonly #api: OtelApi;
  readonly #given: TracerProvider | undefined;
  readonly #noop: TracerProvider;
  #provider: TracerProvider | undefined;
  #tracer: Tracer | undefined;

  /** @param given the provider to use; undefined for the global one */
  constructor(api: OtelApi, given: TracerProvider | undefined) {
    this.#api = api;
    this.#given = given;
    this.#noop = new api.ProxyTracerProvider().getDelegate();
  }

  /** Whether there is an SDK. Never throws, since each enqueue call asks. */
  get present(): boolean {
    try {
      return this.#find() !== undefined;
    } catch {
      return false; // a provider of somebody else's making
    }
  }

  /** The tracer of this moment; undefined while there is no SDK. May throw what the provider does. */
  find(): Tracer | undefined {
    const provider = this.#find();
    if (provider !== this.#provider) {
      this.#tracer = provider?.getTracer(SCOPE.name, SCOPE.version);
      this.#provider = provider; // not before: one that has failed is asked again
    }
    return this.#tracer;
  }

  #find(): TracerProvider | undefined {
    const provider: MaybeProxy = this.#given ?? this.#api.trace.getTracerProvider();
    const actual = typeof provider.getDelegate === "function" ? provider.getDelegate() : provider;
    return actual === this.#noop ? undefined : actual;
  }
}
