import type { EnqueuedTask } from "../../../task/task-context.js";
import type { HandedTask, RunMessage } from "../messages.js";
import type { LoadedHandler } from "./handler-loader.js";
import { LiveSignal } from "./live-signal.js";
import { threadNow } from "./thread-clock.js";
import { ThreadProgress } from "./thread-progress.js";

/** What a task asks of the thread that it runs in. */
export interface TaskHost {
  /** The stop that has begun; undefined before. */
  readonly stop: { readonly reason: unknown } | undefined;
  /** Calls its handler; gives a promise while that goes on. */
  invoke(task: ThreadTask): Promise<void> | undefined;
  /** Hears what has been posted, where the task has been aborted: its reason is among that. */
  lookForAbort(task: ThreadTask): void;
  lookForStop(): void;
  postProgress(task: ThreadTask, value: unknown): void;
  /** What carries context has failed; the task goes on. */
  reportCarrier(error: unknown): void;
  enqueue(task: ThreadTask, durable: boolean, ...given: [unknown, unknown, unknown]): Promise<EnqueuedTask>;
}

/** A task that runs in this thread: what its context is made of, and what has become of it. */
export class ThreadTask {
  readonly index: number;
  readonly host: TaskHost;
  readonly handler: LoadedHandler;
  readonly batch: RunMessage;
  readonly handed: HandedTask;
  readonly startedAt = threadNow();
  /** Its end has been told. */
  over = false;
  #signal: LiveSignal | undefined;
  #stopping: LiveSignal | undefined;
  #reason: { readonly error: unknown } | undefined;
  #progress: ThreadProgress | undefined;

  constructor(host: TaskHost, handler: LoadedHandler, batch: RunMessage, index: number) {
    this.host = host;
    this.handler = handler;
    this.batch = batch;
    this.index = index;
    this.handed = batch.tasks[index] as HandedTask;
  }

  get id(): string {
    return this.handed[0];
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#signal = new LiveSignal(() => {
        if (!this.over && this.#reason === undefined) this.host.lookForAbort(this);
      });
      if (this.#reason !== undefined) this.#signal.abort(this.#reason.error);
    }
    return this.#signal.signal;
  }

  get stopping(): AbortSignal {
    if (this.#stopping === undefined) {
      this.#stopping = new LiveSignal(() => {
        if (!this.over) this.host.lookForStop();
      });
      const { stop } = this.host;
      if (stop !== undefined) this.#stopping.abort(stop.reason);
    }
    return this.#stopping.signal;
  }

  /** The first reason stands, as with any signal. */
  abort(error: unknown): void {
    this.#reason ??= { error };
    this.#signal?.abort(error);
  }

  announceStop(reason: unknown): void {
    this.#stopping?.abort(reason);
  }

  report(value: unknown): void {
    if (this.over) return;
    this.#progress ??= new ThreadProgress((held) => this.host.postProgress(this, held));
    this.#progress.report(value);
  }

  /** What was held back is told before the end is. */
  end(): void {
    this.#progress?.end();
    this.over = true;
  }
}
