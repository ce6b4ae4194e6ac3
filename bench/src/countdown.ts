/** Lets a case wait until its last task has run, without a promise per task. */
export class Countdown {
  readonly finished: Promise<void>;
  left: number;
  #release: () => void = () => {};

  constructor(count: number) {
    this.left = count;
    this.finished = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  /** A task too many takes `left` below zero, where the case finds it. */
  arrive(): void {
    this.left -= 1;
    if (this.left === 0) this.#release();
  }
}
