import { ManagerStoppedError, ResultExpiredError, ResultTimeoutError } from "../../../errors.js";
import type { StoredTask } from "../../../ports/backend-inspector.js";
import type { HandlerDefinition } from "../../../task/handler-definition.js";
import { fromStoredError } from "../../../task/stored-error.js";
import type { StoredOutcome } from "../../../task/stored-outcome.js";
import { decodeProgress } from "../../../task/stored-progress.js";
import { decodeResult } from "../../../task/stored-result.js";
import type { ResultWaiters } from "../../durable/result-waiters.js";
import type { Alarm, Alarms } from "../alarms.js";
import type { SignalListeners } from "../signal-listeners.js";
import { type ResultOptions, readResultOptions } from "../task-handle.js";

/** How long `result()` waits where nobody says. */
const RESULT_TIMEOUT_MS = 60_000;

/** What `enqueueDurable` gives: a durable task by its id, wherever it runs. */
export interface DurableHandle<R = unknown> {
  /** `queue:rest`, by which any process finds it. */
  readonly id: string;
  /** True when the task is that of an earlier call with the same idempotency key. */
  readonly duplicate: boolean;
  /**
   * The task's outcome, wherever it runs. `timeoutMs` is 60,000 unless it is given; then it rejects with a
   * ResultTimeoutError, and the task goes on. Where the outcome is kept no longer (`resultTtlMs`), or there
   * is no such task, it rejects with a ResultExpiredError; where this manager stops first, with a
   * ManagerStoppedError.
   * @throws {OptionError} as a rejection, for wrong options
   */
  result(options?: ResultOptions): Promise<R>;
  /**
   * What its handler last told by `context.progress`, as the store has it: about a second old at most, and in
   * place of what JSON cannot hold, or more than 64 KiB of it, a text that says so. It stays through further
   * attempts until the next word, and is kept as long as the outcome is. Undefined where there is none, or
   * no such task.
   * @throws {StoreUnreachableError} as a rejection
   */
  progress(): Promise<unknown>;
  /**
   * Ends the task: at once where it waits; where it runs, by its signal, within about a second.
   * @param reason becomes the `cause` of the TaskCancelledError, as far as it can be stored
   * @returns true when the task was waiting, or its process has been asked; false when it had ended
   * @throws {StoreUnreachableError} as a rejection
   */
  cancel(reason?: unknown): Promise<boolean>;
}

/** What handles ask of their manager. */
export interface DurableHandleHost {
  readonly alarms: Alarms;
  readonly now: () => number;
  readonly signals: SignalListeners;
  readonly waiters: ResultWaiters;
  /** Those who wait, so that a stop can tell them. */
  readonly waiting: Set<() => void>;
  /** How many wait has changed. */
  readonly onWaiting: () => void;
  readonly isStopped: () => boolean;
  readonly cancel: (id: string, reason: unknown) => Promise<boolean>;
  /** The task as the store has it. */
  readonly read: (id: string) => Promise<StoredTask | undefined>;
}

export class StoredTaskHandle<R> implements DurableHandle<R> {
  readonly id: string;
  readonly duplicate: boolean;
  readonly #handler: HandlerDefinition;
  readonly #host: DurableHandleHost;

  constructor(id: string, duplicate: boolean, handler: HandlerDefinition, host: DurableHandleHost) {
    this.id = id;
    this.duplicate = duplicate;
    this.#handler = handler;
    this.#host = host;
  }

  async result(options?: ResultOptions): Promise<R> {
    const { timeoutMs = RESULT_TIMEOUT_MS, signal } = readResultOptions(options);
    if (signal?.aborted) throw signal.reason;
    const outcome = await this.#ended(timeoutMs, signal);
    if (outcome === undefined)
      throw new ResultExpiredError(`No result of task ${this.id} is kept, any more or at all`, this.id);
    if (outcome.state === "completed") return decodeResult(this.#handler, outcome.value) as R;
    throw fromStoredError(outcome.error ?? "");
  }

  async progress(): Promise<unknown> {
    const task = await this.#host.read(this.id);
    return decodeProgress(task?.progress);
  }

  cancel(reason?: unknown): Promise<boolean> {
    return this.#host.cancel(this.id, reason);
  }

  #ended(timeoutMs: number, signal: AbortSignal | undefined): Promise<StoredOutcome | undefined> {
    const { alarms, isStopped, now, onWaiting, signals, waiters, waiting } = this.#host;
    if (isStopped()) return Promise.reject(this.#stopped());
    return new Promise((resolve, reject) => {
      const leave = () => {
        alarms.clear(alarm);
        stopListening();
        stopWaiting();
        waiting.delete(stop);
        onWaiting();
      };
      const refuse = (error: unknown) => {
        leave();
        reject(error);
      };
      const stop = () => refuse(this.#stopped());
      const alarm: Alarm = {
        alarmTicket: -1,
        ring: () => refuse(new ResultTimeoutError(this.id, timeoutMs)),
      };
      const stopListening = signals.listen(signal, () => refuse(signal?.reason));
      const stopWaiting = waiters.wait(this.id, (outcome) => {
        leave();
        resolve(outcome);
      });
      waiting.add(stop);
      alarms.set(alarm, now() + timeoutMs);
      onWaiting();
    });
  }

  #stopped(): ManagerStoppedError {
    return new ManagerStoppedError(`The manager stopped; task ${this.id} goes on elsewhere`, this.id);
  }
}
