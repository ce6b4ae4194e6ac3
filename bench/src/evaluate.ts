import type { BenchCase, Goal } from "./bench-case.js";
import { quantile } from "./quantile.js";
import type { Samples } from "./run-case.js";

/** Median, and the quartiles on either side of it. */
export interface Spread {
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
}

export interface GoalResult extends Goal {
  readonly figure: Spread;
  /** Undefined where there is no floor, or no aim. */
  readonly floorMet: boolean | undefined;
  readonly aimMet: boolean | undefined;
}

export interface CaseResult {
  readonly costs: readonly { readonly name: string; readonly runs: number; readonly cost: Spread }[];
  readonly goals: readonly GoalResult[];
}

export function evaluate(benchCase: BenchCase, samples: Samples): CaseResult {
  const costs = benchCase.contestants.map(({ name }) => {
    const own = samplesOf(samples, name);
    return { name, runs: own.length, cost: spread(own) };
  });
  const goals = benchCase.goals.map((goal) => {
    const figure = spread(goalFigures(goal, samples));
    const meets = (bound: number | undefined) =>
      bound === undefined
        ? undefined
        : benchCase.better === "higher"
          ? figure.median >= bound
          : figure.median <= bound;
    return { ...goal, figure, floorMet: meets(goal.floor), aimMet: meets(goal.aim) };
  });
  return { costs, goals };
}

/** Ratios are taken within a round and only then summed up: both sides of one saw the same minute of the machine. */
function goalFigures(goal: Goal, samples: Samples): number[] {
  const own = samplesOf(samples, goal.of);
  if (goal.to === undefined) return [...own];
  const others = samplesOf(samples, goal.to);
  return own.map((cost, round) => cost / (others[others.length === 1 ? 0 : round] ?? Number.NaN));
}

function samplesOf(samples: Samples, name: string): readonly number[] {
  const own = samples.get(name);
  if (own === undefined || own.length === 0) throw new Error(`No run of ${name} was recorded`);
  return own;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), p25: quantile(sorted, 0.25), p75: quantile(sorted, 0.75) };
}
