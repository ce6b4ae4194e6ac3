import { AsyncLocalStorage } from "node:async_hooks";
import type { TaskError } from "../../../errors.js";
import { WorkerExitError } from "../../../worker-errors.js";
import type { ThreadTask } from "./thread-task.js";

/** Who is told of what went wrong outside of a handler's promise. */
export interface FaultListener {
  /** Something of a running task threw. */
  faulted(task: ThreadTask, thrown: unknown): void;
  /** The same of a task that is over, or of nobody that is known. */
  faultedLate(task: ThreadTask | undefined, thrown: unknown): void;
  /** A running task, or a module that is being imported, wants to end the thread, which happens next. */
  exits(task: ThreadTask | undefined, exitCode: number): void;
  /** Whether a module is being imported. */
  readonly importing: boolean;
}

/** Thrown at who calls `process.exit` when it is none of its business any more. */
const NO_EXIT = Symbol("this task is over: it does not end the thread of another");

/**
 * Tells whose fault it is. Each task runs in an async context of its own, and what it leaves behind (timers,
 * promises, sockets) keeps that: so a throw, a rejection or an exit finds the task that it came from.
 */
export class Faults {
  readonly #tasks = new AsyncLocalStorage<ThreadTask>();
  readonly #listener: FaultListener;
  readonly #exit: (code?: number) => never;
  readonly #onThrown = (thrown: unknown) => this.#report(thrown);

  constructor(listener: FaultListener) {
    this.#listener = listener;
    this.#exit = process.exit.bind(process);
  }

  watch(): void {
    this.#listen();
    process.exit = (code) => this.#exitBy(Number(code ?? process.exitCode ?? 0));
  }

  /** Calls back as the task. */
  runAs<R>(task: ThreadTask, callback: (task: ThreadTask) => R): R {
    this.#listen(); // again, where an earlier task has removed all listeners
    return this.#tasks.run(task, callback, task);
  }

  #listen(): void {
    if (process.listenerCount("uncaughtException", this.#onThrown) === 0)
      process.on("uncaughtException", this.#onThrown);
    if (process.listenerCount("unhandledRejection", this.#onThrown) === 0)
      process.on("unhandledRejection", this.#onThrown);
  }

  #report(thrown: unknown): void {
    if (thrown === NO_EXIT) return;
    const task = this.#tasks.getStore();
    if (task === undefined || task.over) this.#listener.faultedLate(task, thrown);
    else this.#listener.faulted(task, thrown);
  }

  #exitBy(exitCode: number): never {
    const task = this.#tasks.getStore();
    if (task === undefined ? this.#listener.importing : !task.over) {
      this.#listener.exits(task, exitCode);
      return this.#exit(exitCode);
    }
    this.#listener.faultedLate(task, lateExit(task, exitCode));
    throw NO_EXIT;
  }
}

function lateExit(task: ThreadTask | undefined, exitCode: number): TaskError {
  return new WorkerExitError(task?.id ?? "", exitCode);
}
