const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const KEPT_LINES = 2_000;

/** What happened, as a number that differs where anything did; and as text for who wants to read it. */
export class Trace {
  readonly #keeps: boolean;
  #lines: string[] = [];
  #hash = FNV_OFFSET;

  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  get hash(): number {
    return this.#hash >>> 0;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  note(at: number, what: string): void {
    let hash = this.#hash ^ Math.floor(at * 1_000);
    for (let index = 0; index < what.length; index++) {
      hash = Math.imul(hash ^ what.charCodeAt(index), FNV_PRIME);
    }
    this.#hash = hash;
    if (!this.#keeps) return;
    this.#lines.push(`${at.toFixed(3)} ${what}`);
    if (this.#lines.length > KEPT_LINES) this.#lines = this.#lines.slice(KEPT_LINES / 2);
  }
}
