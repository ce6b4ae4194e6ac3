import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { ObserverSource } from "../../task/observer-error.js";

/**
 * Calls what others have written, providers, their instruments and spans: what these throw, or reject with,
 * is counted as an error of an observer and harms nothing else.
 */
export class Guard {
  readonly #record: (error: unknown) => void;
  #depth = 0;

  /** @param source as what errors are counted */
  constructor(
    { recordError }: Pick<InstrumentationPoint, "recordError">,
    source: ObserverSource = "listener",
  ) {
    this.#record = (error) => recordError(error, source);
  }

  /** Whether a call is under way: who asks may then be one that was called, and has entered the manager. */
  get calling(): boolean {
    return this.#depth > 0;
  }

  /** What the call gives; undefined when it throws. */
  call<R>(call: () => R): R | undefined {
    this.#depth++;
    try {
      return this.settled(call());
    } catch (error) {
      this.#record(error);
      return undefined;
    } finally {
      this.#depth--;
    }
  }

  /** Whether the call returned. */
  succeeds(call: () => void): boolean {
    this.#depth++;
    try {
      call();
      return true;
    } catch (error) {
      this.#record(error);
      return false;
    } finally {
      this.#depth--;
    }
  }

  /** Gives back what a call gave, which should be no promise, and is no rejection that nobody handles. */
  settled<R>(given: R): R {
    if (given instanceof Promise) given.catch(this.#record);
    return given;
  }
}
