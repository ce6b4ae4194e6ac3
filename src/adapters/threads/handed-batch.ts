import type { MessagePort, Transferable } from "node:worker_threads";
import { PayloadError } from "../../errors.js";
import { checkResult } from "../../task/payload.js";
import { skipRetry } from "../../task/steering.js";
import type { TaskOptions } from "../../task/task-options.js";
import { toEnvelope } from "../../task/to-envelope.js";
import type { WorkerExitReason } from "../../task/worker-details.js";
import { WorkerExitError } from "../../worker-errors.js";
import type { AttemptPlace, HandedAttempt } from "./handed-attempt.js";
import type {
  EnqueueMessage,
  HandedTask,
  HandlerSource,
  MessageToThread,
  RunMessage,
  TaskExtras,
} from "./messages.js";
import type { TaskWords } from "./task-words.js";

/** What a batch needs of its thread. */
export interface BatchThread {
  readonly port: MessagePort;
  readonly words: TaskWords;
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
    const { port, words } = this.#thread;
    words.lay(this.number, this.attempts.length);
    for (const { stopReason } of this.attempts) if (stopReason !== undefined) this.announceStop(stopReason);
    const [first] = this.attempts as readonly [HandedAttempt];
    const { queue, priority, maxAttempts } = first.attempt.context;
    const shared = {
      type: "run" as const,
      batch: this.number,
      handler,
      source,
      queue,
      priority,
      maxAttempts,
    };
    const tasks = this.attempts.map((handed) => toTask(handed, maxAttempts));
    try {
      port.postMessage({ ...shared, tasks } satisfies RunMessage, transferOf(first));
      return true;
    } catch {
      const sound = tasks.map((task, index) => (this.#isSound(task, index) ? task : UNSOUND));
      if (this.next === undefined) return false;
      port.postMessage({ ...shared, tasks: sound } satisfies RunMessage);
      return true;
    }
  }

  /** Ends it where it has not begun; else tells its handler. */
  abort(handed: HandedAttempt, reason: Error): void {
    if (this.#spare(handed, reason)) return;
    // Posted first: who sees the word finds the reason.
    this.#tell({ type: "abort", index: handed.index, reason: toEnvelope(reason) });
    this.#thread.words.abort(this.number, handed.index);
  }

  announceStop(reason: Error): void {
    const { words } = this.#thread;
    if (words.stopping) return; // one for all in this thread
    this.#tell({ type: "stopping", reason: toEnvelope(reason) });
    words.announceStop();
  }

  /** What it has told before its end counts. */
  kill(handed: HandedAttempt): void {
    const error = new WorkerExitError(handed.attempt.context.id, undefined);
    if (this.#spare(handed, error)) return;
    this.#thread.hearAll();
    if (!handed.left) this.#thread.terminate("killed");
    handed.fail(error);
  }

  hasBegun({ index }: HandedAttempt): boolean {
    return !this.#thread.loading && this.#thread.words.hasBegun(this.number, index);
  }

  /** Takes back whatever has not begun. */
  withdrawRest(): void {
    for (const handed of this.attempts) {
      if (!handed.left && this.#thread.words.withdraw(this.number, handed.index)) handed.handBack();
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
    handed.fail(reason);
    this.#thread.attemptLeft();
    return true;
  }

  #tell(message: MessageToThread): void {
    this.#thread.port.postMessage(message);
  }

  #isSound(task: HandedTask, index: number): boolean {
    const handed = this.attempts[index] as HandedAttempt;
    try {
      structuredClone(task);
      return true;
    } catch (error) {
      this.#thread.words.withdraw(this.number, index);
      handed.fail(skipRetry(unsentError(handed, error)));
      return false;
    }
  }
}

/** Stands for a task of a batch that was withdrawn before the batch was posted. */
const UNSOUND: HandedTask = ["", 0, undefined];

function toTask(handed: HandedAttempt, maxAttempts: number): HandedTask {
  const { context } = handed.attempt;
  const extras = toExtras(handed, maxAttempts);
  if (extras === undefined) return [context.id, context.attempt, handed.payload];
  return [context.id, context.attempt, handed.payload, extras];
}

/** What goes beyond the plain task; undefined for most. */
function toExtras({ attempt, headers }: HandedAttempt, maxAttempts: number): TaskExtras | undefined {
  const { context } = attempt;
  const { name, metadata, correlationId, locals } = context;
  const hasLocals = Object.keys(locals).length > 0;
  const hasMetadata = Object.keys(metadata).length > 0;
  const isPlain = (name ?? correlationId ?? headers) === undefined && !hasLocals && !hasMetadata;
  if (isPlain && context.maxAttempts === maxAttempts) return undefined;
  return {
    ...{ name, correlationId, headers, maxAttempts: context.maxAttempts },
    metadata: hasMetadata ? metadata : undefined,
    locals: hasLocals ? { ...locals } : undefined,
  };
}

function transferOf({ attempt }: HandedAttempt): readonly Transferable[] {
  return (attempt.transfer ?? []) as readonly Transferable[];
}

/** Why an attempt cannot run whose buffers went with an earlier one. */
export function movedError(handler: string): PayloadError {
  const message = "was moved to a thread with an earlier start (`transfer`), and is no more";
  const issues = [{ message, path: "payload" }];
  return new PayloadError(`The payload for handler "${handler}" ${message}`, handler, {
    ...{ issues, omittedIssues: 0 },
  });
}

function unsentError({ handler: { name } }: HandedAttempt, cause: unknown): PayloadError {
  const message = `cannot be sent to a thread: ${String((cause as Error).message)}`;
  const issues = [{ message, path: "payload" }];
  return new PayloadError(
    `The payload for handler "${name}" ${message}`,
    name,
    { issues, omittedIssues: 0 },
    { cause },
  );
}
