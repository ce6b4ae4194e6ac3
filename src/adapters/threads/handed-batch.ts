import type { MessagePort, Transferable } from "node:worker_threads";
import { checkResult } from "../../task/payload.js";
import type { TaskOptions } from "../../task/task-options.js";
import { toEnvelope } from "../../task/to-envelope.js";
import type { WorkerExitReason } from "../../task/worker-details.js";
import { WorkerExitError } from "../../worker-errors.js";
import type { AttemptPlace, HandedAttempt } from "./handed-attempt.js";
import type { EnqueueMessage, HandedTask, HandlerSource, MessageToThread, RunMessage } from "./messages.js";
import { packCopy, packTask } from "./pack-task.js";
import type { TaskWords } from "./task-words.js";
import { unmovedError } from "./unsent.js";

/** What a batch needs of its thread. */
export interface BatchThread {
  readonly port: MessagePort;
  readonly words: TaskWords;
  /** How many have begun in it, or will. */
  attempts: number;
  /** Whether it takes nothing more. */
  readonly ending: boolean;
  /** Whether the module of the batch's handler is still being imported: nothing has begun. */
  readonly loading: boolean;
  /** Reads out what the thread has told and nobody has heard yet. */
  hearAll(): void;
  terminate(reason: WorkerExitReason): void;
  /** The thread has done with an attempt, or was spared it. */
  attemptLeft(): void;
}

/** The attempts that a thread has been given together, and what it tells of each. */
export class HandedBatch implements AttemptPlace {
  readonly number: number;
  readonly attempts: readonly HandedAttempt[];
  readonly #thread: BatchThread;
  /** So many from the first one on, the thread has done with. */
  #leftBehind = 0;

  constructor(number: number, attempts: readonly HandedAttempt[], thread: BatchThread) {
    this.number = number;
    this.attempts = attempts;
    this.#thread = thread;
    for (const [index, handed] of attempts.entries()) {
      handed.place = this;
      handed.index = index;
    }
  }

  /** The first one that the thread has not done with. */
  get next(): HandedAttempt | undefined {
    while (this.attempts[this.#leftBehind]?.left) this.#leftBehind++;
    return this.attempts[this.#leftBehind];
  }

  /**
   * Posts it to the thread. What turns out not to be cloneable, though it was so when it was enqueued, has
   * failed.
   * @returns false when nothing was left to be posted
   */
  post(handler: number, source: HandlerSource | undefined): boolean {
    this.#thread.words.lay(this.number, this.attempts.length);
    for (const { stopReason } of this.attempts) if (stopReason !== undefined) this.announceStop(stopReason);
    const [first] = this.attempts as readonly [HandedAttempt];
    const { queue, priority, maxAttempts } = first.attempt.context;
    const shared = { ...{ batch: this.number, handler, source }, ...{ queue, priority, maxAttempts } };
    try {
      const tasks = this.attempts.map((handed) => packTask(handed, maxAttempts));
      const message: RunMessage = { type: "run", ...shared, tasks };
      const { transfer } = first.attempt;
      this.#thread.port.postMessage(message, transfer?.objects as readonly Transferable[] | undefined);
      if (transfer !== undefined) transfer.moved = true;
    } catch {
      const tasks = this.attempts.map((handed) => this.#packAlone(handed, maxAttempts));
      if (this.next === undefined) return false;
      this.#tell({ type: "run", ...shared, tasks }); // copies, which are plain and can be sent
    }
    return true;
  }

  /** Ends it where it has not begun; else tells its handler. */
  abort(handed: HandedAttempt, reason: Error): void {
    if (handed.left || this.#spare(handed, reason)) return;
    // Posted first: who sees the word finds the reason.
    const { index } = handed;
    this.#tell({ type: "abort", batch: this.number, index, reason: toEnvelope(reason) });
    this.#thread.words.abort(this.number, handed.index);
  }

  announceStop(reason: Error): void {
    const { words } = this.#thread;
    if (words.stopping) return; // one for all in this thread
    this.#tell({ type: "stopping", reason: toEnvelope(reason) });
    words.announceStop();
  }

  /** What it has told before its end counts, and of its neighbours none begins any more. */
  kill(handed: HandedAttempt): void {
    const error = new WorkerExitError(handed.attempt.context.id, undefined);
    if (this.#spare(handed, error)) return;
    if (!handed.left) this.withdrawRest();
    this.#thread.hearAll();
    if (!handed.left) this.#thread.terminate("killed");
    handed.fail(error);
  }

  hasBegun({ index }: HandedAttempt): boolean {
    return !this.#thread.loading && this.#thread.words.hasBegun(this.number, index);
  }

  /** Takes back whatever has not begun, but for what has moved to a thread that goes on. */
  withdrawRest(): void {
    for (const handed of this.attempts) {
      if (handed.left || (handed.attempt.transfer?.moved && !this.#thread.ending)) continue;
      if (!this.#thread.words.withdraw(this.number, handed.index)) continue;
      this.#thread.attempts--;
      handed.handBack();
    }
  }

  /** The handler has returned. Its result schema, where it has one, is asked here. */
  returned(handed: HandedAttempt, value: unknown, runMs: number): void {
    const { handler } = handed;
    if (handler.result === undefined) {
      handed.end({ returned: true, value }, runMs);
      return;
    }
    void checkResult(handler, value).then(
      (checked) => handed.end({ returned: true, value: checked.value }, runMs),
      (error: unknown) => handed.fail(error, runMs),
    );
  }

  /** The handler enqueues; the answer goes back to it. */
  async enqueue(handed: HandedAttempt, { call, handler, payload, options }: EnqueueMessage): Promise<void> {
    const { enqueue } = handed.attempt.context;
    try {
      const { id } = await handed.inContext(() => enqueue(handler, payload, options as TaskOptions));
      this.#tell({ type: "enqueued", call, id });
    } catch (error) {
      this.#tell({ type: "refused", call, error: toEnvelope(error) });
    }
  }

  /** @returns false when it is too late, since it has begun */
  #spare(handed: HandedAttempt, reason: Error): boolean {
    if (handed.left || !this.#thread.words.withdraw(this.number, handed.index)) return false;
    this.#thread.attempts--;
    handed.fail(reason);
    this.#thread.attemptLeft();
    return true;
  }

  #tell(message: MessageToThread): void {
    this.#thread.port.postMessage(message);
  }

  /** A copy of one task; one that cannot be copied, or moved as it was to be, has failed. */
  #packAlone(handed: HandedAttempt, maxAttempts: number): HandedTask {
    const refusal = handed.attempt.transfer === undefined ? undefined : unmovedError(handed.handler.name);
    const packed = refusal ?? packCopy(handed, maxAttempts);
    if (!(packed instanceof Error)) return packed;
    this.#thread.words.withdraw(this.number, handed.index);
    handed.fail(packed);
    return NOTHING;
  }
}

/** Stands for a task of a batch that was withdrawn before the batch was posted. */
const NOTHING: HandedTask = ["", 0, undefined];
