import { Silence } from "../../../core/collections/silence.js";
import type { LifeWords } from "./life-words.js";

/** A thread that comes up may take longer on a crowded machine than one that is up. */
const MAX_START_MS = 15_000;
const MIN_SILENT_MS = 2_000;
const MIN_BEAT_MS = 10;
const MAX_BEAT_MS = 1_000;

/**
 * Judges from time to time whether a thread's event loop turns.
 */
export class ThreadWatch {
  /** How often is to be looked. */
  readonly beatMs: number;
  readonly #maxSilentMs: number;
  #life: LifeWords | undefined;
  #silence: Silence | undefined;

  constructor(leaseMs: number, maxBlockedMs: number) {
    const often = Math.min(maxBlockedMs / 10, leaseMs / 12);
    this.beatMs = Math.max(MIN_BEAT_MS, Math.min(MAX_BEAT_MS, often));
    this.#maxSilentMs = Math.max(MIN_SILENT_MS, leaseMs / 3);
  }

  /** A thread was started. */
  begin(life: LifeWords, now: number): void {
    this.#life = life;
    this.#silence = new Silence(this.beatMs, 0, now);
  }

  /** @returns whether it has been silent for too long */
  look(now: number): boolean {
    if (this.#life === undefined || this.#silence === undefined) return false;
    const { thread } = this.#life;
    return this.#silence.look(thread, now) > (thread === 0 ? MAX_START_MS : this.#maxSilentMs);
  }
}
