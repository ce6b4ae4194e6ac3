import type { BackendSignals } from "../../ports/backend-signals.js";

/** Signals of so many queues are heard; of others, the store is asked. */
const MAX_QUEUES = 1_000;

interface HeardQueue {
  /** How many wait for tasks of this queue. */
  waiting: number;
  /** Undefined while it is not heard, since enough others are. */
  stop: (() => void) | undefined;
}

/**
 * The queues whose ends are heard, since somebody waits for one of their tasks, or did: the next one who
 * waits may be about to come. A queue for which nobody waits makes room for another.
 */
export class HeardQueues {
  readonly #signals: BackendSignals;
  readonly #finished: (id: string) => void;
  readonly #queues = new Map<string, HeardQueue>();
  /** Those that are heard though nobody waits, the one first that has been so for longest. */
  readonly #spare = new Set<string>();
  #heard = 0;
  #closed = false;

  /** @param finished told of each end in these queues */
  constructor(signals: BackendSignals, finished: (id: string) => void) {
    this.#signals = signals;
    this.#finished = finished;
  }

  /** Somebody waits for a task of this queue, whether or not its tasks run here. */
  enter(queue: string): void {
    if (this.#closed) return;
    const known = this.#queues.get(queue) ?? { waiting: 0, stop: undefined };
    this.#queues.set(queue, known);
    this.#spare.delete(queue);
    known.waiting++;
    known.stop ??= this.#hear(queue);
  }

  /** Once for each `enter`. */
  leave(queue: string): void {
    const known = this.#queues.get(queue);
    if (known === undefined || --known.waiting > 0) return;
    if (known.stop === undefined) this.#queues.delete(queue);
    else this.#spare.add(queue);
  }

  close(): void {
    this.#closed = true;
    for (const { stop } of this.#queues.values()) stop?.();
    this.#queues.clear();
    this.#spare.clear();
  }

  #hear(queue: string): (() => void) | undefined {
    if (this.#heard >= MAX_QUEUES && !this.#makeRoom()) return undefined;
    this.#heard++;
    return this.#signals.listen([queue], { ...DEAF, finished: this.#finished });
  }

  #makeRoom(): boolean {
    const [longest] = this.#spare;
    if (longest === undefined) return false;
    this.#queues.get(longest)?.stop?.();
    this.#queues.delete(longest);
    this.#spare.delete(longest);
    this.#heard--;
    return true;
  }
}

/** To all that does not concern those who wait. */
const DEAF = { wake: () => {}, cancelAsked: () => {}, storeLost: () => {} };
