import type { Ack, ClaimedTask, DeadLetter, Lease, Nack } from "../../ports/backend.js";

/** What is to become of a task in the store, but for the lease that allows it. */
export type Settlement =
  | { readonly kind: "ack"; readonly ack: Omit<Ack, keyof Lease> }
  | { readonly kind: "nack"; readonly nack: Omit<Nack, keyof Lease> }
  | { readonly kind: "dead-letter"; readonly deadLetter: Omit<DeadLetter, keyof Lease> };

/** What is known of a lease when it is given, monotonic. */
export interface LeaseTimes {
  readonly askedAt: number;
  readonly trustedUntil: number;
  readonly renewAt: number;
}

/**
 * A lease of this process, from the claim that gave it until it is let go.
 *
 * - `held`: it is renewed, and its task may run
 * - `settling`: its task has ended here; it is renewed until the store has confirmed what becomes of that
 * - `over`: it is not this process's any more, or nobody needs it
 */
export class HeldLease {
  readonly task: ClaimedTask;
  readonly queue: string;
  /** Monotonic. When the claim was made whose answer it came with: not after the store's `claimedAt`. */
  readonly askedAt: number;
  /** Monotonic. Until then the store cannot have given the task to anybody else. */
  trustedUntil: number;
  /** When it is to be renewed next, monotonic. */
  renewAt: number;
  /** What the handler last told of its progress, until it is on its way to the store. */
  progress: Uint8Array | undefined = undefined;
  /** What the one who runs its task knows of it: theirs alone. */
  run: unknown = undefined;
  /** Somebody's wish to cancel the task has been passed on. */
  cancelAsked = false;
  #telling: Promise<void> | undefined = undefined;
  #state: "held" | "settling" | "over" = "held";
  #settlement: Settlement | undefined;

  constructor(task: ClaimedTask, queue: string, times: LeaseTimes) {
    const { askedAt, renewAt, trustedUntil } = times;
    this.task = task;
    this.queue = queue;
    this.askedAt = askedAt;
    this.trustedUntil = trustedUntil;
    this.renewAt = renewAt;
  }

  get state(): "held" | "settling" | "over" {
    return this.#state;
  }

  /** What the store is to be told; undefined until the task has ended here. */
  get settlement(): Settlement | undefined {
    return this.#settlement;
  }

  /** Settles when the store has answered what it was last told of progress; undefined where it has. */
  get telling(): Promise<void> | undefined {
    return this.#telling;
  }

  /** The store is being told of progress, until this settles, which does not reject. */
  tell(telling: Promise<void>): void {
    this.#telling = telling;
    void telling.then(() => {
      if (this.#telling === telling) this.#telling = undefined;
    });
  }

  takeProgress(): Uint8Array | undefined {
    const { progress } = this;
    this.progress = undefined;
    return progress;
  }

  settle(settlement: Settlement): void {
    this.#state = "settling";
    this.#settlement = settlement;
  }

  end(): void {
    this.#state = "over";
  }
}
