import { ResultTimeoutError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import { abortSignal, duration, readOptions } from "../../task/checks.js";
import { isTerminal, type TaskState } from "../../task/states.js";
import { deliver, type ResultSink, readAhead, type Task } from "../../task/task.js";
import type { Alarm, Alarms } from "./alarms.js";
import { awaitOutcome } from "./outcome-waits.js";
import type { SignalListeners } from "./signal-listeners.js";

/** How long to wait for a result. */
export interface ResultOptions {
  /** Reject with a ResultTimeoutError after so many milliseconds; the task goes on. Default: no limit. */
  timeoutMs?: number | undefined;
  /** Stop waiting when it aborts, and reject with its reason; the task goes on. */
  signal?: AbortSignal | undefined;
}

/** What `enqueue` gives back: the one who owns a task's outcome. */
export interface TaskHandle<R = unknown> {
  /** Made into text when it is first read. */
  readonly id: string;
  readonly state: TaskState;
  /**
   * True when the task is that of an earlier call with the same idempotency key, whose handle shares all with
   * this one.
   */
  readonly duplicate: boolean;
  /**
   * The task's outcome: what its handler returned, or a rejection that says why there is none. A promise is
   * made only here, so a task whose result nobody asks for cannot cause an unhandled rejection.
   * Rejects with a ResultExpiredError where this is a duplicate of a task that was pruned before.
   * @throws {OptionError} at once, for wrong options
   */
  result(options?: ResultOptions): Promise<R>;
  /**
   * Ends the task: at once when it waits, through its signal when it runs.
   * @param reason becomes the `cause` of the TaskCancelledError
   * @returns true when this call decided what becomes of it; false when it had ended or was ending already
   */
  cancel(reason?: unknown): boolean;
}

/** What a handle asks of its manager. */
export interface HandleHost {
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly signals: SignalListeners;
  cancelTask(task: Task, reason: unknown): boolean;
}

const CHECKS = { timeoutMs: duration(0), signal: abortSignal };

/** @throws {OptionError} */
export function readResultOptions(options: unknown): ResultOptions {
  return readOptions<ResultOptions>("", options, CHECKS);
}

export class LocalTaskHandle<R> implements TaskHandle<R>, ResultSink {
  readonly #task: Task;
  readonly #host: HandleHost;
  #value: unknown = undefined;
  #promise: Promise<R> | undefined = undefined;
  #resolve: ((value: R) => void) | undefined = undefined;
  #reject: ((error: unknown) => void) | undefined = undefined;

  constructor(task: Task, host: HandleHost) {
    this.#task = task;
    this.#host = host;
  }

  get id(): string {
    return this.#task.id;
  }

  get state(): TaskState {
    return this.#task.state;
  }

  get duplicate(): boolean {
    return false;
  }

  cancel(reason?: unknown): boolean {
    return this.#host.cancelTask(this.#task, reason);
  }

  result(options?: ResultOptions): Promise<R> {
    if (options === undefined) return this.#outcome();
    const { timeoutMs, signal } = readResultOptions(options);
    if (isTerminal(this.#task.state)) return this.#outcome();
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (timeoutMs === undefined && signal === undefined) return this.#outcome();
    return this.#outcomeBefore(timeoutMs, signal);
  }

  [readAhead](): boolean {
    if (this.#promise === undefined) return true;
    return typeof this.#promise === "object" && typeof this.#resolve === "function";
  }

  [deliver](task: Task, value: unknown): boolean {
    if (this.#promise === undefined) this.#value = value;
    else if (task.state === "completed") this.#resolve?.(value as R);
    else this.#reject?.(task.error);
    return this.#promise !== undefined;
  }

  #outcome(): Promise<R> {
    if (this.#promise === undefined) {
      this.#promise = new Promise<R>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
      if (isTerminal(this.#task.state)) this[deliver](this.#task, this.#value);
    }
    return this.#promise;
  }

  #outcomeBefore(timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<R> {
    const { clock, alarms, signals } = this.#host;
    return new Promise<R>((resolve, reject) => {
      const stop = () => {
        leave();
        alarms.clear(alarm);
        stopListening();
      };
      const leave = awaitOutcome(this.#outcome(), {
        resolve: (value) => {
          stop();
          resolve(value);
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      });
      const stopListening = signals.listen(signal, () => {
        stop();
        reject(signal?.reason);
      });
      const alarm: Alarm = {
        alarmTicket: -1,
        ring: () => {
          stop();
          reject(new ResultTimeoutError(this.id, timeoutMs ?? 0));
        },
      };
      if (timeoutMs !== undefined) alarms.set(alarm, clock.now() + timeoutMs);
    });
  }
}
