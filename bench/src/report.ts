import type { BenchCase } from "./bench-case.js";
import type { Environment } from "./environment.js";
import type { CaseResult, GoalResult, Spread } from "./evaluate.js";

export function environmentText(environment: Environment): string {
  const { machine, node, commit, packages, load } = environment;
  return [
    `machine   ${machine}`,
    `load      ${load.toFixed(1)}${load > 1 ? ": someone else is using the machine, expect a wide spread" : ""}`,
    `node      ${node}`,
    `commit    ${commit}`,
    `beside    ${packages}`,
  ].join("\n");
}

export function caseTitle({ name, what, unit, better, rounds }: BenchCase): string {
  return `\n${name}: ${what}\n  ${unit}, ${better} is better, ${rounds} rounds`;
}

export function caseTable({ unit }: BenchCase, { costs, goals }: CaseResult): string {
  const costRows = costs.map(({ name, runs, cost }) => [
    name,
    amount(cost.median),
    runs === 1 ? "one run" : range(cost, amount),
  ]);
  const goalRows = goals.map((goal) => {
    const show = goal.to === undefined ? amount : times;
    return [
      goal.to === undefined ? goal.of : `${goal.of} ÷ ${goal.to}`,
      show(goal.figure.median),
      range(goal.figure, show),
      goal.floor === undefined ? "" : show(goal.floor),
      goal.aim === undefined ? "" : show(goal.aim),
      verdict(goal),
    ];
  });
  return [
    aligned([["", unit, "p25 to p75"], ...costRows]),
    aligned([["", "figure", "p25 to p75", "floor", "aim", ""], ...goalRows]),
  ].join("\n\n");
}

export function caseJson(benchCase: BenchCase, result: CaseResult, environment: Environment): string {
  const [main, ...others] = result.costs;
  const ratios = result.goals.flatMap(({ to, figure }) => (to === undefined ? [] : [[to, figure] as const]));
  return JSON.stringify({
    case: benchCase.name,
    unit: benchCase.unit,
    better: benchCase.better,
    millrace: main === undefined ? undefined : rounded(main.cost.median),
    peers: Object.fromEntries(others.map(({ name, cost }) => [name, rounded(cost.median)])),
    ratio: Object.fromEntries(ratios.map(([name, { median }]) => [name, rounded(median)])),
    spread: {
      cost: Object.fromEntries(result.costs.map(({ name, cost }) => [name, quartiles(cost)])),
      ratio: Object.fromEntries(ratios.map(([name, figure]) => [name, quartiles(figure)])),
    },
    runs: Object.fromEntries(result.costs.map(({ name, runs }) => [name, runs])),
    goals: result.goals.map(({ of, to, floor, aim, figure, floorMet, aimMet }) => {
      return { of, to, figure: rounded(figure.median), floor, aim, floorMet, aimMet };
    }),
    ...environment,
  });
}

function verdict({ floorMet, aimMet }: GoalResult): string {
  if (floorMet === false) return "FAIL";
  if (aimMet === true) return "ok, aim reached";
  return floorMet === true ? "ok" : "";
}

function aligned(rows: readonly (readonly string[])[]): string {
  const columns = rows[0]?.length ?? 0;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column === 5 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("   ");
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}

function range({ p25, p75 }: Spread, show: (value: number) => string): string {
  return `${show(p25)} to ${show(p75)}`;
}

function amount(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 1 : 0 });
}

function times(value: number): string {
  return `${value.toLocaleString("en", { maximumSignificantDigits: 3 })} ×`;
}

function quartiles({ p25, p75 }: Spread): [number, number] {
  return [rounded(p25), rounded(p75)];
}

/** Four digits are more than the spread of any case bears out. */
function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
