/** More peaks than this are not kept: what is asked of a time before them is not known. */
const MAX_PEAKS = 64;

interface Peak {
  readonly at: number;
  level: number;
}

/**
 * How high a bucket has stood, since any instant of late. It stands highest just before something is taken,
 * so those levels are noted, but for those that a later one has reached again: what is left falls from the
 * first to the last.
 */
export class LevelTrail {
  #peaks: Peak[] = [];
  /** What was before this instant is not known. */
  #from = Number.NEGATIVE_INFINITY;

  /** Something is taken, at that level. */
  note(at: number, level: number): void {
    let last = this.#peaks.at(-1);
    while (last !== undefined && last.level <= level) {
      this.#peaks.pop();
      last = this.#peaks.at(-1);
    }
    if (last?.at === at) return;
    this.#peaks.push({ at, level });
    if (this.#peaks.length > MAX_PEAKS) this.#from = this.#peaks.shift()?.at ?? at;
  }

  /** The highest level after an instant: 0 where nothing was taken since, Infinity where it is not known. */
  peakSince(at: number): number {
    if (at < this.#from) return Number.POSITIVE_INFINITY;
    return this.#peaks.find((peak) => peak.at > at)?.level ?? 0;
  }

  /** As if so much less had been taken before them all. */
  raise(by: number, burst: number): void {
    for (const peak of this.#peaks) peak.level = Math.min(burst, peak.level + by);
  }

  /** What was before counts for nothing any more. */
  forget(now: number): void {
    this.#peaks = [];
    this.#from = now;
  }
}
