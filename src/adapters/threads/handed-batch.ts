import type { Transferable } from "node:worker_threads";
import type { DurableTaskOptions } from "../../task/durable-task-options.js";
import { checkResult } from "../../task/payload.js";
import type { TaskOptions } from "../../task/task-options.js";
import { toEnvelope } from "../../task/to-envelope.js";
import type { WorkerExitReason } from "../../task/worker-details.js";
import { WorkerExitError } from "../../worker-errors.js";
import type { AttemptPlace, HandedAttempt } from "./handed-attempt.js";
import type { EnqueueMessage, HandedTask, HandlerSource, MessageToThread, RunMessage } from "./messages.js";
import { packCopy, packTask } from "./pack-task.js";
import type { Pulse } from "./pulses.js";
import type { ThreadChannel } from "./thread-channel.js";
import { unmovedError } from "./unsent.js";

/** What a batch needs of its thread. */
export interface BatchThread {
  readonly channel: ThreadChannel;
  readonly pulse: Pulse | undefined;
  /** How many have begun in it and are over. */
  attempts: number;
  /** Whether it takes nothing more. */
  readonly ending: boolean;
  /** Whether it imports the module of the batch's handler now. */
  readonly importing: boolean;
  /** Whether the module of the batch's handler is still being imported: nothing has begun. */
  readonly loading: boolean;
  terminate(reason: WorkerExitReason): void;
  /** The thread has done with an attempt, or was spared it. */
  attemptLeft(): void;
}

/** The attempts that a thread has been given together, and what it tells of each. */
export class HandedBatch implements AttemptPlace {
  readonly number: number;
  readonly attempts: readonly HandedAttempt[];
  readonly #thread: BatchThread;
  readonly #watched: boolean;
  /** So many from the first one on, the thread has done with. */
  #leftBehind = 0;

  constructor(number: number, attempts: readonly HandedAttempt[], thread: BatchThread) {
    this.number = number;
    this.attempts = attempts;
    this.#thread = thread;
    let watched = false;
    for (const [index, handed] of attempts.entries()) {
      handed.place = this;
      handed.index = index;
      if (!handed.attempt.watched) continue;
      watched = true;
      handed.attempt.placed(thread.pulse?.number);
    }
    this.#watched = watched;
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
    this.#thread.channel.words.lay(this.number, this.attempts.length);
    for (const { stopReason } of this.attempts) if (stopReason !== undefined) this.announceStop(stopReason);
    const [first] = this.attempts as readonly [HandedAttempt];
    const { maxAttempts } = first.attempt.context;
    const { transfer } = first.attempt;
    try {
      const tasks = this.attempts.map((handed) => packTask(handed, maxAttempts));
      this.#tell(this.#toMessage(handler, source, tasks), transfer?.objects);
      if (transfer !== undefined) transfer.moved = true;
      return true;
    } catch {
      return this.postCopies(handler, source);
    }
  }

  /** The same with copies, which are plain: what cannot be copied, or moved as it was to be, has failed. */
  postCopies(handler: number, source: HandlerSource | undefined): boolean {
    const [{ attempt }] = this.attempts as readonly [HandedAttempt];
    const { maxAttempts } = attempt.context;
    const tasks = this.attempts.map((handed) =>
      handed.left ? NOTHING : this.#packAlone(handed, maxAttempts),
    );
    if (this.next === undefined) return false;
    this.#tell(this.#toMessage(handler, source, tasks));
    return true;
  }

  /** Whether the thread goes on with it: imports its module, or has begun the first that is not over. */
  get begun(): boolean {
    const { next } = this;
    return next === undefined || this.#thread.importing || this.hasBegun(next);
  }

  /** Ends it where it has not begun; else tells its handler. */
  abort(handed: HandedAttempt, reason: Error): void {
    if (handed.left || this.#spare(handed, reason)) return;
    // Posted first: who sees the word finds the reason.
    const { index } = handed;
    this.#tell({ type: "abort", batch: this.number, index, reason: toEnvelope(reason) });
    this.#thread.channel.words.abort(this.number, handed.index);
  }

  announceStop(reason: Error): void {
    const { words } = this.#thread.channel;
    if (words.stopping) return; // one for all in this thread
    this.#tell({ type: "stopping", reason: toEnvelope(reason) });
    words.announceStop();
  }

  /** What it has told before its end counts, and of its neighbours none begins any more. */
  kill(handed: HandedAttempt): void {
    const error = new WorkerExitError(handed.attempt.context.id, undefined);
    if (this.#spare(handed, error)) return;
    if (!handed.left) this.withdrawRest();
    this.#thread.channel.hearAll();
    if (!handed.left) {
      this.#thread.attempts++;
      this.#thread.terminate("killed");
    }
    handed.fail(error);
  }

  hasBegun({ index }: HandedAttempt): boolean {
    return !this.#thread.loading && this.#thread.channel.words.hasBegun(this.number, index);
  }

  /** Takes back whatever has not begun, but for what has moved to a thread that goes on. */
  withdrawRest(): void {
    for (const handed of this.attempts) {
      if (handed.left || (handed.attempt.transfer?.moved && !this.#thread.ending)) continue;
      if (!this.#thread.channel.words.withdraw(this.number, handed.index)) continue;
      handed.handBack();
    }
  }

  /** The thread is gone, and whatever has not begun was taken back: the others have failed with it. */
  failBegun(toError: (handed: HandedAttempt) => Error): void {
    for (const handed of this.attempts) {
      if (handed.left) continue;
      this.#thread.attempts++;
      handed.fail(toError(handed));
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

  progressed(index: number, value: unknown): void {
    this.attempts[index]?.attempt.context.progress(value);
  }

  /** The handler enqueues; the answer goes back to it. */
  async enqueues({ index, call, durable, handler, payload, options }: EnqueueMessage): Promise<void> {
    const handed = this.attempts[index];
    if (handed === undefined) return;
    const { enqueue, enqueueDurable } = handed.attempt.context;
    const accept = durable
      ? () => enqueueDurable(handler, payload, options as DurableTaskOptions)
      : () => enqueue(handler, payload, options as TaskOptions);
    try {
      const task = await handed.inContext(accept);
      this.#tell({ type: "enqueued", call, task });
    } catch (error) {
      this.#tell({ type: "refused", call, error: toEnvelope(error) });
    }
  }

  /** @returns false when it is too late, since it has begun */
  #spare(handed: HandedAttempt, reason: Error): boolean {
    if (handed.left || !this.#thread.channel.words.withdraw(this.number, handed.index)) return false;
    handed.fail(reason);
    this.#thread.attemptLeft();
    return true;
  }

  /** What is the same for all of its tasks is that of the first. */
  #toMessage(handler: number, source: HandlerSource | undefined, tasks: readonly HandedTask[]): RunMessage {
    const [{ attempt }] = this.attempts as readonly [HandedAttempt];
    const { queue, priority, maxAttempts } = attempt.context;
    return {
      type: "run",
      batch: this.number,
      watched: this.#watched,
      handler,
      source,
      queue,
      priority,
      maxAttempts,
      tasks,
    };
  }

  #tell(message: MessageToThread, transfer: readonly object[] = []): void {
    this.#thread.channel.port.postMessage(message, transfer as readonly Transferable[]);
  }

  #packAlone(handed: HandedAttempt, maxAttempts: number): HandedTask {
    const refusal = handed.attempt.transfer === undefined ? undefined : unmovedError(handed.handler.name);
    const packed = refusal ?? packCopy(handed, maxAttempts);
    if (!(packed instanceof Error)) return packed;
    this.#thread.channel.words.withdraw(this.number, handed.index);
    handed.fail(packed);
    return NOTHING;
  }
}

/** Stands for a task of a batch that was withdrawn before the batch was posted. */
const NOTHING: HandedTask = ["", 0, undefined];
