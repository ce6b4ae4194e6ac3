import type { HandedTask, RunMessage } from "../messages.js";
import type { LoadedHandler } from "./handler-loader.js";
import { LiveSignal } from "./live-signal.js";
import { ThreadProgress } from "./thread-progress.js";
import type { ThreadSession } from "./thread-session.js";

/** A task that runs in this thread: what its context is made of, and what has become of it. */
export class ThreadTask {
  readonly index: number;
  readonly session: ThreadSession;
  readonly handler: LoadedHandler;
  readonly batch: RunMessage;
  readonly handed: HandedTask;
  readonly startedAt = performance.now();
  /** Its end has been told. */
  over = false;
  #signal: LiveSignal | undefined;
  #stopping: LiveSignal | undefined;
  #reason: { readonly error: unknown } | undefined;
  #progress: ThreadProgress | undefined;

  constructor(session: ThreadSession, handler: LoadedHandler, batch: RunMessage, index: number) {
    this.session = session;
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
        if (!this.over && this.#reason === undefined) this.session.lookForAbort(this);
      });
      if (this.#reason !== undefined) this.#signal.abort(this.#reason.error);
    }
    return this.#signal.signal;
  }

  get stopping(): AbortSignal {
    if (this.#stopping === undefined) {
      this.#stopping = new LiveSignal(() => {
        if (!this.over) this.session.lookForStop();
      });
      const { stop } = this.session;
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
    this.#progress ??= new ThreadProgress((held) => this.session.postProgress(this, held));
    this.#progress.report(value);
  }

  /** What was held back is told before the end is. */
  end(): void {
    this.#progress?.end();
    this.over = true;
  }
}
