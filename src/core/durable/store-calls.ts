import type { Clock } from "../../ports/clock.js";
import { STORE_CALLS, type StoreCall, type StoreCallStats } from "../../task/durable-stats.js";
import { toErrorType } from "../../task/error-type.js";
import { OTHER } from "../../task/group-tally.js";

/**
 * Told of each call to the store when it has been answered, or has failed: then with its error. How long it
 * took is not known where something else made it.
 */
export type StoreCallListener = (call: StoreCall, durationMs: number | undefined, error: unknown) => void;

/** So many kinds of errors of one call are told apart. */
const MAX_ERROR_TYPES = 20;

/** What has come of one kind of call. */
class CallTally {
  count = 0;
  totalMs = 0;
  readonly errors = new Map<string, number>();
  /** The last one failed. */
  failing = false;

  countError(type: string): void {
    const known = this.errors.has(type) || this.errors.size < MAX_ERROR_TYPES;
    const counted = known ? type : OTHER;
    this.errors.set(counted, (this.errors.get(counted) ?? 0) + 1);
  }
}

/** Counts the calls to a store, and knows which of them have failed and not succeeded since. */
export class StoreCalls {
  readonly #clock: Clock;
  readonly #tallies: Readonly<Record<StoreCall, CallTally>>;
  readonly #listeners = new Set<StoreCallListener>();

  constructor(clock: Clock) {
    this.#clock = clock;
    const tallies = STORE_CALLS.map((call) => [call, new CallTally()] as const);
    this.#tallies = Object.fromEntries(tallies) as Record<StoreCall, CallTally>;
  }

  /** @param listener must not throw */
  listen(listener: StoreCallListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Whether the last one of these failed. */
  failing(...calls: readonly StoreCall[]): boolean {
    return calls.some((call) => this.#tallies[call].failing);
  }

  /** Makes a call. Whoever awaits the answer has it as soon as without this, and finds it counted. */
  make<R>(call: StoreCall, ask: () => Promise<R>): Promise<R> {
    const sentAt = this.#clock.now();
    const answer = begin(ask);
    answer.then(
      () => this.#record(call, sentAt, undefined, false),
      (error: unknown) => this.#record(call, sentAt, error, true),
    );
    return answer;
  }

  /** Counts one that something else made, and of which only this is known: that it failed. */
  noteFailure(call: StoreCall, error: unknown): void {
    this.#record(call, undefined, error, true);
  }

  /** Something else has made such calls, of which nothing is known but that one succeeded. */
  noteSuccess(call: StoreCall): void {
    const tally = this.#tallies[call];
    if (!tally.failing) return;
    tally.failing = false;
    this.#tell(call, undefined, undefined);
  }

  read(): Readonly<Record<StoreCall, StoreCallStats>> {
    const pictures = STORE_CALLS.map((call) => {
      const { count, errors, totalMs } = this.#tallies[call];
      return [
        call,
        Object.freeze({ count, totalMs, errors: Object.freeze(Object.fromEntries(errors)) }),
      ] as const;
    });
    return Object.freeze(Object.fromEntries(pictures) as Record<StoreCall, StoreCallStats>);
  }

  #record(call: StoreCall, sentAt: number | undefined, error: unknown, failed: boolean): void {
    const tally = this.#tallies[call];
    const durationMs = sentAt === undefined ? undefined : this.#clock.now() - sentAt;
    tally.count++;
    tally.totalMs += durationMs ?? 0;
    tally.failing = failed;
    if (failed) tally.countError(toErrorType(error));
    // Leases that a failed renewal was about may be held no more: then nothing else would take it back.
    else if (call === "claim") this.#tallies.extend.failing = false;
    this.#tell(call, durationMs, failed ? (error ?? new Error("It rejected with nothing")) : undefined);
  }

  #tell(call: StoreCall, durationMs: number | undefined, error: unknown): void {
    for (const listener of this.#listeners) listener(call, durationMs, error);
  }
}

/** A backend that throws has failed as one that rejects. */
function begin<R>(ask: () => Promise<R>): Promise<R> {
  try {
    return Promise.resolve(ask());
  } catch (error) {
    return Promise.reject(error);
  }
}
