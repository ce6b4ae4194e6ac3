const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const KEPT_LINES = 2_000;

/** How much is kept of what happens: nothing, a number that differs where anything did, or that and the words. */
export type TraceKind = "nothing" | "hash" | "lines";

/** What happened, in words that are put together only where somebody reads them: most schedules have no reader. */
export class Trace {
  readonly #kind: TraceKind;
  #lines: string[] = [];
  #hash = FNV_OFFSET;

  constructor(kind: TraceKind) {
    this.#kind = kind;
  }

  /** Undefined where nothing is kept. */
  get hash(): number | undefined {
    return this.#kind === "nothing" ? undefined : this.#hash >>> 0;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  note(at: number, ...words: readonly (string | number)[]): void {
    if (this.#kind === "nothing") return;
    const what = words.join(" ");
    let hash = this.#hash ^ Math.floor(at * 1_000);
    for (let index = 0; index < what.length; index++) {
      hash = Math.imul(hash ^ what.charCodeAt(index), FNV_PRIME);
    }
    this.#hash = hash;
    if (this.#kind !== "lines") return;
    this.#lines.push(`${at.toFixed(3)} ${what}`);
    if (this.#lines.length > KEPT_LINES) this.#lines = this.#lines.slice(KEPT_LINES / 2);
  }
}

/** Takes down what happens now. */
export type TakeDown = (...words: readonly (string | number)[]) => void;
