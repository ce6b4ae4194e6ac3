import type { LeaseNeed, RenewedLease } from "../../../ports/lease-renewal.js";

/** So many leases at a time are renewed by a thread. */
export const MAX_LEASES = 16_384;

/** A lease whose id is longer is not renewed by the thread: such ids come from elsewhere than Millrace. */
export const MAX_ID_BYTES = 320;

/**
 * The number of a lease's tenure of its place, until when it is to be renewed, the length of its id, and whom
 * it needs.
 */
const WORDS = 4;

/** Its token, and when it is due for the first time. */
const NUMBERS = 2;

/** In which until when is told: fine enough, and 32 bits hold years of it. */
const UNIT_MS = 100;

const LET_GO = 0;
const NEVER = 2 ** 31 - 1;

/** Whom a lease needs; a worker's number is one less than its word. */
const CORE = 0;
const NOBODY = -1;

/** The memory of a table. */
export interface SharedLeases {
  /** Begins with how many places may be used. */
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly ids: Uint8Array;
}

/** A lease as the thread that renews finds it. */
export interface TabledLease extends RenewedLease {
  readonly tenure: number;
  readonly dueAt: number;
}

/**
 * The leases that are to be renewed, and until when each is: shared by the main thread, which writes, and the
 * one that renews, which looks now and then. So a task that begins or ends costs no message, and what was
 * written holds though the main thread is blocked from then on. A place is used by one lease after another,
 * each time under a new number; that is written first, and until when it is to be renewed last, so that what
 * is read between the two is known to be no lease.
 */
export class LeaseTable {
  readonly shared: SharedLeases;
  /** Instants count from here. */
  readonly startedAt: number;
  readonly #ids: Buffer;

  constructor(startedAt: number, shared: SharedLeases = allocate()) {
    this.startedAt = startedAt;
    this.shared = shared;
    this.#ids = Buffer.from(shared.ids.buffer);
  }

  /** How many places, from the first on, may be used. */
  get used(): number {
    return Atomics.load(this.shared.words, 0);
  }

  /**
   * A lease takes a place that is free, as one that needs the main thread.
   * @returns false where its id is too long
   */
  take(place: number, { id, token }: RenewedLease, dueAt: number): boolean {
    if (id.length * 3 > MAX_ID_BYTES && Buffer.byteLength(id) > MAX_ID_BYTES) return false;
    const { numbers, words } = this.shared;
    const at = wordsOf(place);
    Atomics.add(words, at, 1);
    Atomics.store(words, at + 2, this.#ids.write(id, place * MAX_ID_BYTES, MAX_ID_BYTES));
    numbers[place * NUMBERS] = token;
    numbers[place * NUMBERS + 1] = dueAt;
    Atomics.store(words, at + 3, CORE);
    Atomics.store(words, at + 1, NEVER);
    if (place >= this.used) Atomics.store(words, 0, place + 1);
    return true;
  }

  limit(place: number, until: number, need: LeaseNeed): void {
    const word = Math.max(1, Math.min(NEVER, Math.ceil((until - this.startedAt) / UNIT_MS)));
    Atomics.store(this.shared.words, wordsOf(place) + 3, toNeedWord(need));
    Atomics.store(this.shared.words, wordsOf(place) + 1, word);
  }

  letGo(place: number): void {
    Atomics.store(this.shared.words, wordsOf(place) + 1, LET_GO);
  }

  /** No place is used any more: nobody has to look at those that were. */
  clear(): void {
    Atomics.store(this.shared.words, 0, 0);
  }

  /** The number of the tenure of the lease that has the place; undefined where none has. */
  tenureOf(place: number): number | undefined {
    const at = wordsOf(place);
    const tenure = Atomics.load(this.shared.words, at);
    return Atomics.load(this.shared.words, at + 1) === LET_GO ? undefined : tenure;
  }

  /** The lease that has the place; undefined where none has, or it changes at this moment. */
  read(place: number): TabledLease | undefined {
    const tenure = this.tenureOf(place);
    if (tenure === undefined) return undefined;
    const { numbers, words } = this.shared;
    const from = place * MAX_ID_BYTES;
    const id = this.#ids.toString("utf8", from, from + Atomics.load(words, wordsOf(place) + 2));
    const [token = 0, dueAt = 0] = numbers.subarray(place * NUMBERS, (place + 1) * NUMBERS);
    return this.tenureOf(place) === tenure ? { id, token, tenure, dueAt } : undefined;
  }

  /** Whether the lease that has the place is to be renewed at this instant, if whom it needs shows life. */
  wants(place: number, now: number): boolean {
    const until = Atomics.load(this.shared.words, wordsOf(place) + 1);
    return until === NEVER || (until !== LET_GO && now <= this.startedAt + until * UNIT_MS);
  }

  /** Whom the lease needs that has the place. */
  needOf(place: number): LeaseNeed {
    const word = Atomics.load(this.shared.words, wordsOf(place) + 3);
    if (word === CORE) return "core";
    return word === NOBODY ? "nobody" : word - 1;
  }
}

function wordsOf(place: number): number {
  return 1 + place * WORDS;
}

function toNeedWord(need: LeaseNeed): number {
  if (need === "core") return CORE;
  return need === "nobody" ? NOBODY : need + 1;
}

function allocate(): SharedLeases {
  return {
    words: new Int32Array(new SharedArrayBuffer((1 + MAX_LEASES * WORDS) * 4)),
    numbers: new Float64Array(new SharedArrayBuffer(MAX_LEASES * NUMBERS * 8)),
    ids: new Uint8Array(new SharedArrayBuffer(MAX_LEASES * MAX_ID_BYTES)),
  };
}
