import type { Backend, EnqueueAnswer, NewTask } from "../../ports/backend.js";
import type { Clock, Timer } from "../../ports/clock.js";

/** Tasks in one call to the store. */
const BATCH = 1_000;

/**
 * The same in bytes of payloads and envelopes: who brings little is not to wait for what others bring, and
 * each call has only so much time.
 */
const BATCH_BYTES = 8 * 1_024 * 1_024;

/** So many calls are under way at a time, at most. */
const MAX_CALLS = 4;

/** Whoever has waited so long for another call to be answered waits no longer. */
const PATIENCE_MS = 100;

/** What goes to the store in one call. */
class Batch {
  readonly beganAt: number;
  readonly tasks: NewTask[] = [];
  bytes = 0;
  readonly answers: Promise<readonly EnqueueAnswer[]>;
  #resolve: (answers: readonly EnqueueAnswer[]) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(beganAt: number) {
    this.beganAt = beganAt;
    this.answers = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Never rejects: those whose tasks these are hear of it by `answers`. */
  async send(backend: Pick<Backend, "enqueue">, requestId: string): Promise<void> {
    try {
      this.#resolve(await backend.enqueue(requestId, this.tasks));
    } catch (error) {
      this.#reject(error);
    }
  }

  refuse(error: unknown): void {
    this.#reject(error);
  }
}

/**
 * Hands new tasks to the store. Calls of one turn of the event loop share a round trip, and those that come
 * while one is under way share the next: each costs both sides more than a task does. Only a full batch, or
 * one that has waited too long for the answer to another, leaves while others are under way.
 */
export class EnqueueBatcher {
  readonly #backend: Pick<Backend, "enqueue">;
  readonly #clock: Clock;
  readonly #requestPrefix: string;
  readonly #onIdle: () => void;
  /** Those that have not been sent; the last one may take more. */
  readonly #waiting: Batch[] = [];
  #calls = 0;
  #requests = 0;
  #soon = false;
  #timer: Timer | undefined;

  /** @param onIdle told when the store has answered for all tasks */
  constructor(backend: Pick<Backend, "enqueue">, clock: Clock, requestPrefix: string, onIdle: () => void) {
    this.#backend = backend;
    this.#clock = clock;
    this.#requestPrefix = requestPrefix;
    this.#onIdle = onIdle;
  }

  /** Whether there are tasks for which the store has not answered. */
  get busy(): boolean {
    return this.#calls > 0 || this.#waiting.length > 0;
  }

  /** Gives the answer for this task. */
  async enqueueOne(task: NewTask): Promise<EnqueueAnswer> {
    const bytes = sizeOf(task);
    const batch = this.#batchFor(1, bytes);
    const index = batch.tasks.length;
    batch.tasks.push(task);
    batch.bytes += bytes;
    if (isFull(batch)) this.#flushSoon();
    const answers = await batch.answers;
    return answers[index] as EnqueueAnswer;
  }

  /**
   * Gives the answers for these tasks, which are sent in one call unless they are too many or too large. It
   * rejects when all is known: nothing more is kept after that.
   */
  async enqueue(tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    const parts = toParts(tasks);
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return this.#enqueuePart(only);
    const answers = await Promise.allSettled(parts.map((part) => this.#enqueuePart(part)));
    return answers.flatMap((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
  }

  /** Nothing more is sent: what has not been is not kept. */
  giveUp(error: unknown): void {
    for (const batch of this.#waiting.splice(0)) batch.refuse(error);
    this.#arm();
  }

  async #enqueuePart({ tasks, bytes }: Part): Promise<readonly EnqueueAnswer[]> {
    const batch = this.#batchFor(tasks.length, bytes);
    const from = batch.tasks.length;
    for (const task of tasks) batch.tasks.push(task);
    batch.bytes += bytes;
    if (isFull(batch)) this.#flushSoon();
    const answers = await batch.answers;
    return answers.slice(from, from + tasks.length);
  }

  #batchFor(count: number, bytes: number): Batch {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.tasks.length + count <= BATCH && last.bytes + bytes <= BATCH_BYTES)
      return last;
    const batch = new Batch(this.#clock.now());
    this.#waiting.push(batch);
    this.#flushSoon();
    return batch;
  }

  #flushSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    this.#clock.setImmediate(() => {
      this.#soon = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#mayLeave(next); next = this.#waiting[0]) {
      this.#waiting.shift();
      void this.#send(next);
    }
    this.#arm();
  }

  #mayLeave(first: Batch): boolean {
    if (this.#calls === 0) return true;
    if (this.#calls >= MAX_CALLS) return false;
    return this.#waiting.length > 1 || isFull(first) || this.#clock.now() >= first.beganAt + PATIENCE_MS;
  }

  /** For the first one that waits, unless the answer to another comes before. */
  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const [first] = this.#waiting;
    if (first === undefined || this.#calls >= MAX_CALLS) return;
    const delayMs = Math.max(0, first.beganAt + PATIENCE_MS - this.#clock.now());
    this.#timer = this.#clock.setTimeout(() => this.#flush(), delayMs);
  }

  async #send(batch: Batch): Promise<void> {
    this.#calls++;
    await batch.send(this.#backend, `${this.#requestPrefix}e${++this.#requests}`);
    this.#calls--;
    this.#flush();
    if (!this.busy) this.#onIdle();
  }
}

function isFull({ bytes, tasks }: Batch): boolean {
  return tasks.length >= BATCH || bytes >= BATCH_BYTES;
}

function sizeOf({ payload, envelope }: NewTask): number {
  return payload.length + envelope.length;
}

/** Some of the tasks of one call that fit into one batch; one that is too large by itself is alone. */
interface Part {
  readonly tasks: readonly NewTask[];
  readonly bytes: number;
}

function toParts(tasks: readonly NewTask[]): readonly Part[] {
  const parts: Part[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, task] of tasks.entries()) {
    const size = sizeOf(task);
    if (index - from >= BATCH || (index > from && bytes + size > BATCH_BYTES)) {
      parts.push({ tasks: tasks.slice(from, index), bytes });
      from = index;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < tasks.length) parts.push({ tasks: from === 0 ? tasks : tasks.slice(from), bytes });
  return parts;
}
