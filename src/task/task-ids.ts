/** The last three digits of a number, as text. */
const ENDINGS = Array.from({ length: 1_000 }, (_, ending) => String(ending).padStart(3, "0"));

/**
 * The ids that a manager makes up: a prefix and the task's number. A number's text costs as much as all else
 * in a result, so what a thousand neighbours have in common is made once for those asked for in a row.
 */
export class TaskIds {
  readonly prefix: string;
  #thousand = 0;
  #beginning: string;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.#beginning = prefix;
  }

  /** @param number a whole number from 0 up */
  text(number: number): string {
    if (number < 1_000) return `${this.prefix}${number}`;
    const thousand = Math.floor(number / 1_000);
    if (thousand !== this.#thousand) {
      this.#thousand = thousand;
      this.#beginning = `${this.prefix}${thousand}`;
    }
    return this.#beginning + (ENDINGS[number - thousand * 1_000] as string);
  }
}
