import { expect } from "vitest";
import type { ConformanceCase } from "../../src/testing/index.js";

/**
 * The names of the cases that fail, in the order of the cases. They are run at the same time, since most
 * wait; what keeps the process alive can only be looked at when the others are over.
 */
export async function failedCases(cases: readonly ConformanceCase[]): Promise<readonly string[]> {
  const failed = new Set<string>();
  const run = (one: ConformanceCase) => one.run().catch(() => failed.add(one.name));
  const alone = cases.filter(({ name }) => name.includes("keeps the process alive"));
  await Promise.all(cases.filter((one) => !alone.includes(one)).map(run));
  for (const one of alone) await run(one);
  return cases.map(({ name }) => name).filter((name) => failed.has(name));
}

/** The same, of cases that share what there is too little of, such as processors. */
export async function failedOneByOne(cases: readonly ConformanceCase[]): Promise<readonly string[]> {
  const failed: string[] = [];
  for (const { name, run } of cases) await run().catch(() => failed.push(name));
  return failed;
}

/** The names that begin with one of these; each must be the beginning of one. */
export function casesCalled(
  cases: readonly ConformanceCase[],
  beginnings: readonly string[],
): readonly string[] {
  const names = cases.map(({ name }) => name);
  for (const beginning of beginnings)
    expect(names, `cases that begin with "${beginning}"`).toContainEqual(expect.stringMatching(beginning));
  return names.filter((name) => beginnings.some((beginning) => name.startsWith(beginning)));
}
