/** So many leases at a time are renewed by a thread. */
export const MAX_LEASES = 16_384;

/** Each lease has two words: the number of its tenure of the place, and until when it is to be renewed. */
const WORDS = 2;

/** In which until when is told: fine enough, and 32 bits hold years of it. */
const UNIT_MS = 100;

const LET_GO = 0;
const NEVER = 2 ** 31 - 1;

/** What is to be done for a lease now. */
export type LeaseWish = "renew" | "wait" | "forget";

/**
 * Until when each lease is to be renewed, shared by the main thread, which writes it, and the one that
 * renews: so neither a task that begins nor one that ends costs a message. A place is used by one lease after
 * another, and has a new number with each.
 */
export class LeaseWords {
  /** What is shared. */
  readonly words: Int32Array;
  /** Instants count from here. */
  readonly startedAt: number;

  constructor(
    startedAt: number,
    words: Int32Array = new Int32Array(new SharedArrayBuffer(MAX_LEASES * WORDS * 4)),
  ) {
    this.startedAt = startedAt;
    this.words = words;
  }

  /**
   * A lease takes a place, as one that needs the main thread.
   * @returns the number of its tenure
   */
  take(place: number): number {
    const tenure = Atomics.add(this.words, place * WORDS, 1) + 1;
    Atomics.store(this.words, place * WORDS + 1, -NEVER);
    return tenure | 0;
  }

  /** @param isFree whether it needs the main thread no more */
  limit(place: number, until: number, isFree: boolean): void {
    const word = Math.max(1, Math.min(NEVER, Math.ceil((until - this.startedAt) / UNIT_MS)));
    Atomics.store(this.words, place * WORDS + 1, isFree ? word : -word);
  }

  letGo(place: number): void {
    Atomics.store(this.words, place * WORDS + 1, LET_GO);
  }

  /** @param isSilent whether the main thread has been silent for too long */
  wish(place: number, tenure: number, now: number, isSilent: boolean): LeaseWish {
    const word = Atomics.load(this.words, place * WORDS + 1);
    if (word === LET_GO || Atomics.load(this.words, place * WORDS) !== tenure) return "forget";
    if (word < 0 && isSilent) return "wait";
    const until = Math.abs(word);
    return until === NEVER || now <= this.startedAt + until * UNIT_MS ? "renew" : "wait";
  }
}
