import { type DurableHandle, ResultTimeoutError } from "../index.js";

/** Durable tasks that were enqueued here and are not known to have ended, wherever they are. */
export class UnendedDurables {
  readonly #handles = new Set<DurableHandle>();
  readonly #awaited = new Set<DurableHandle>();

  get size(): number {
    return this.#handles.size;
  }

  add(handle: DurableHandle): void {
    this.#handles.add(handle);
  }

  /** Hears of their ends from now on: not before, since who waits for a result looks for it by the clock. */
  watch(): void {
    for (const handle of this.#handles) {
      if (this.#awaited.has(handle)) continue;
      this.#awaited.add(handle);
      handle.result().then(
        () => this.#forget(handle),
        (error: unknown) => {
          if (error instanceof ResultTimeoutError) this.#awaited.delete(handle);
          else this.#forget(handle);
        },
      );
    }
  }

  describe(): string {
    const [first] = this.#handles;
    if (first === undefined) return "";
    const more = this.size === 1 ? "" : `, nor have ${this.size - 1} more`;
    return `the durable task ${first.id} has not ended${more}`;
  }

  #forget(handle: DurableHandle): void {
    this.#handles.delete(handle);
    this.#awaited.delete(handle);
  }
}
