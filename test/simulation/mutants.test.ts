import { expect, test } from "vitest";
import { playWithoutStacks } from "./explore.js";
import { MUTANTS, type NamedMutant } from "./mutants.js";

/** So many schedules at most until a broken rule shows; most show within a hundred. */
const WITHIN = 10_000;

/** The number of the first schedule in which one of the invariants that it breaks says so. */
async function firstThatShows({ breaks, mutant }: NamedMutant): Promise<number> {
  for (let seed = 1; seed <= WITHIN; seed++) {
    const { violation } = await playWithoutStacks(seed, { mutant });
    if (violation !== undefined && breaks.includes(violation.rule)) return seed;
  }
  return Number.POSITIVE_INFINITY;
}

for (const mutant of MUTANTS) {
  test(`M1: where ${mutant.name}, a schedule shows it`, { timeout: 120_000 }, async () => {
    expect(await firstThatShows(mutant)).toBeLessThanOrEqual(WITHIN);
  });
}
