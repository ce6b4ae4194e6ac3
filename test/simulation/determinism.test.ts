import { expect, test } from "vitest";
import { explore } from "./explore.js";
import { MUTANTS } from "./mutants.js";
import { Simulation } from "./simulation.js";

const SEEDS = 300;

test("M4: the same seed gives the same schedule, step by step, and another one another", {
  timeout: 120_000,
}, async () => {
  const hashes = new Set<number>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { hash = Number.NaN, steps, runs } = await new Simulation(seed, { trace: "hash" }).play();
    expect(await new Simulation(seed, { trace: "lines" }).play()).toMatchObject({ hash, steps, runs });
    expect(await new Simulation(seed).play()).toMatchObject({ hash: undefined, steps, runs });
    hashes.add(hash);
  }
  expect(hashes.size).toBe(SEEDS);
});

test("a rule that is broken is told with its seed, what led to it, and how to play it again", async () => {
  const broken = MUTANTS.find(({ breaks }) => breaks.includes("I6")); // one that shows soon
  const told = await explore(1, 1_000, "processes", broken?.mutant).catch((error: Error) => error.message);
  const [what = "", replay = "", ...lines] = String(told).split("\n");
  const [, seed, violation] = /^seed (\d+): (.*)$/.exec(what) ?? [];
  expect(replay).toBe(
    `to replay: MILLRACE_SIMULATION_SEED=${seed} npx vitest run test/simulation/processes.test.ts`,
  );
  expect(lines.length).toBeGreaterThan(5);
  const played = { theme: "processes", mutant: broken?.mutant ?? {} } as const;
  expect((await new Simulation(Number(seed), played).play()).violation?.message).toBe(violation);
});
