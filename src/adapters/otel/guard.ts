import type { InstrumentationPoint } from "../../ports/instrumentation.js";

/**
 * Calls what others have written, providers and their instruments: what these throw, or reject with, is
 * counted as an error of an observer and harms nothing else.
 */
export class Guard {
  readonly #record: (error: unknown) => void;

  constructor({ recordError }: Pick<InstrumentationPoint, "recordError">) {
    this.#record = (error) => recordError(error, "listener");
  }

  /** What the call gives; undefined when it throws. */
  call<R>(call: () => R): R | undefined {
    try {
      const given = call();
      this.settled(given);
      return given;
    } catch (error) {
      this.#record(error);
      return undefined;
    }
  }

  /** Whether the call returned. */
  succeeds(call: () => void): boolean {
    try {
      call();
      return true;
    } catch (error) {
      this.#record(error);
      return false;
    }
  }

  /** Sees to it that what a call gave, which should be nothing, is not a rejection that nobody handles. */
  settled(given: unknown): void {
    if (given instanceof Promise) given.catch(this.#record);
  }
}
