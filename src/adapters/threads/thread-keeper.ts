import type { HandlerDefinition } from "../../task/handler-definition.js";
import type { LateFaultMessage } from "./messages.js";
import type { Pulses } from "./pulses.js";

/** Who keeps the threads, which are `T`. */
export interface ThreadKeeper<T> {
  readonly handlers: HandlerKeeper;
  readonly pulses: Pulses;
  /** It can take its first batch. */
  threadReady(thread: T): void;
  /** Its batch is over and it can take the next one, unless it is to end. */
  threadFree(thread: T): void;
  /** It will take nothing more; `exited` follows. */
  threadDying(thread: T): void;
  /** It is no more. */
  threadExited(thread: T): void;
  /** It had something to do for this long. */
  threadWasBusy(busyMs: number): void;
  lateFault(thread: T, fault: Omit<LateFaultMessage, "type" | "error">, error: unknown): void;
  carrierFailed(error: unknown): void;
}

/** Who keeps what is known of handlers. */
export interface HandlerKeeper {
  loaded(handler: HandlerDefinition): void;
  failed(handler: HandlerDefinition, cause: unknown): void;
  ran(handler: HandlerDefinition, runMs: number): void;
  /** The number of a handler in what threads are told. */
  numberOf(handler: HandlerDefinition): number;
  /** One more thread was lost before that work began. @returns whether there were too many */
  struckOut(work: object): boolean;
  /** The names of those that could not be loaded ten times in a row. */
  failing(): readonly string[];
}
