import type { Sample } from "./prometheus.js";

export type Labels = Readonly<Record<string, string>>;

/** What a series is expected to say: a number to the unit, or the lowest and the highest one. */
export type Expected = number | readonly [number, number];

/** A series as it is expected. */
export interface ExpectedSample {
  readonly labels: Labels;
  readonly value: Expected;
}

/** Counts by name and labels, kept by those who cause what is counted. */
export class Ledger {
  readonly #counts = new Map<string, { readonly name: string; readonly labels: Labels; value: number }>();

  /** Adds; by 0, it notes that there is such a count. */
  count(name: string, labels: Labels, by = 1): void {
    const sorted = Object.fromEntries(Object.entries(labels).sort());
    const key = `${name} ${JSON.stringify(sorted)}`;
    const known = this.#counts.get(key);
    if (known === undefined) this.#counts.set(key, { name, labels: sorted, value: by });
    else known.value += by;
  }

  /** The sums of the counts of one name whose labels agree in those given, as Prometheus forms them. */
  sumBy(name: string, by: readonly string[], where: Labels = {}): readonly Sample[] {
    const sums = new Map<string, { readonly labels: Labels; value: number }>();
    for (const { name: other, labels, value } of this.#counts.values()) {
      if (other !== name || !Object.entries(where).every(([label, is]) => labels[label] === is)) continue;
      const kept = Object.fromEntries(Object.entries(labels).filter(([label]) => by.includes(label)));
      const sum = sums.get(JSON.stringify(kept));
      if (sum === undefined) sums.set(JSON.stringify(kept), { labels: kept, value });
      else sum.value += value;
    }
    return [...sums.values()];
  }

  total(name: string, where: Labels = {}): number {
    return this.sumBy(name, [], where).reduce((total, { value }) => total + value, 0);
  }
}

/** What is wrong with samples, one line for each; nothing where they are what was expected. */
export function differences(
  found: readonly Sample[],
  expected: readonly ExpectedSample[],
): readonly string[] {
  const keyOf = (labels: Labels) => JSON.stringify(Object.entries(labels).sort());
  const missing = new Map(expected.map((sample) => [keyOf(sample.labels), sample]));
  const wrong = found.flatMap(({ labels, value }) => {
    const known = missing.get(keyOf(labels));
    missing.delete(keyOf(labels));
    if (known === undefined) return [`${keyOf(labels)} = ${value} was not expected`];
    return agrees(value, known.value) ? [] : [`${keyOf(labels)} is ${value}, not ${String(known.value)}`];
  });
  return [...wrong, ...[...missing.keys()].map((key) => `${key} is missing`)];
}

function agrees(value: number, expected: Expected): boolean {
  if (typeof expected === "number") return Object.is(value, expected) || Math.abs(value - expected) < 1e-9;
  return value >= expected[0] && value <= expected[1];
}
