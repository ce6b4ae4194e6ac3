import { startTimer, stopTimer, threadNow } from "./thread-clock.js";

/** The least time between two reports of one task, as on the main thread. */
const INTERVAL_MS = 100;

/** Keeps a task from telling of its progress more often than anybody is told. The last value wins. */
export class ThreadProgress {
  readonly #post: (value: unknown) => void;
  #postedAt = Number.NEGATIVE_INFINITY;
  #held: { readonly value: unknown } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(post: (value: unknown) => void) {
    this.#post = post;
  }

  report(value: unknown): void {
    const dueInMs = this.#postedAt + INTERVAL_MS - threadNow();
    this.#held = { value };
    if (dueInMs <= 0) this.#flush();
    else this.#timer ??= startTimer(() => this.#flush(), dueInMs).unref();
  }

  end(): void {
    this.#flush();
  }

  #flush(): void {
    stopTimer(this.#timer);
    this.#timer = undefined;
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) return;
    this.#postedAt = threadNow();
    this.#post(held.value);
  }
}
