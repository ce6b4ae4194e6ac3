import { expect, test } from "vitest";
import { MUTANTS } from "./mutants.js";
import { Simulation } from "./simulation.js";

/** So many schedules at most until a broken rule shows. */
const WITHIN = 2_000;

for (const { name, breaks, mutant } of MUTANTS) {
  test(`M1: where ${name}, a schedule shows it`, { timeout: 60_000 }, async () => {
    let seed = 0;
    let found: string | undefined;
    while (found === undefined && seed < WITHIN)
      found = (await new Simulation(++seed, { mutant }).play()).violation?.rule;
    expect(breaks).toContain(found);
  });
}
