import { type DurableHandle, ManagerStoppedError, TaskCancelledError } from "millrace";
import type { Digest } from "../digest-file.mjs";
import { KINDS, type Kind } from "../kinds.ts";
import type { Outcomes } from "../outcomes.ts";

/** What became of the files of a queue. */
export interface KindTally {
  completed: number;
  failed: number;
  cancelled: number;
}

const LONGER_THAN_ANY_RUN_MS = 86_400_000;

/** Waits for the results of tasks that run in other processes, and counts them. */
export class AwaitedDigests {
  readonly tallies = Object.fromEntries(
    KINDS.map((kind) => [kind, { completed: 0, failed: 0, cancelled: 0 }]),
  ) as Readonly<Record<Kind, KindTally>>;
  readonly #outcomes: Outcomes;
  readonly #open = new Set<DurableHandle<Digest>>();
  #enqueued = 0;
  #left = 0;
  #onEnd: () => void = () => {};

  constructor(outcomes: Outcomes) {
    this.#outcomes = outcomes;
  }

  get enqueued(): number {
    return this.#enqueued;
  }

  /** Tasks whose end has been heard of. */
  get ended(): number {
    return this.#enqueued - this.#open.size - this.#left;
  }

  /** Those that had not ended when this program did not wait any longer. */
  get left(): number {
    return this.#left;
  }

  add(handle: DurableHandle<Digest>, path: string, kind: Kind): void {
    this.#enqueued++;
    this.#open.add(handle);
    void this.#await(handle, path, kind).then(() => {
      this.#open.delete(handle);
      this.#onEnd();
    });
  }

  /** Resolves when fewer than so many are waited for. */
  async room(bound: number): Promise<void> {
    while (this.#open.size >= bound)
      await new Promise<void>((resolve) => {
        this.#onEnd = resolve;
      });
  }

  /** Looks at once for those that have ended, and waits no longer than that for the others. */
  async lookAgain(): Promise<void> {
    await Promise.allSettled([...this.#open].map((handle) => handle.result({ timeoutMs: 500 })));
  }

  async #await(handle: DurableHandle<Digest>, path: string, kind: Kind): Promise<void> {
    const tally = this.tallies[kind];
    try {
      const digest = await handle.result({ timeoutMs: LONGER_THAN_ANY_RUN_MS });
      tally.completed++;
      this.#outcomes.addDigest(path, digest);
    } catch (error) {
      if (error instanceof ManagerStoppedError) this.#left++;
      else if (error instanceof TaskCancelledError) tally.cancelled++;
      else {
        tally.failed++;
        this.#outcomes.complain(path, error);
      }
    }
  }
}
