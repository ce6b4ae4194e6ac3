import { describe, expect, test } from "vitest";
import { METRICS } from "../../src/adapters/otel/metrics-reporter.js";
import { readProjectFile } from "./sources.js";

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly unit: string;
  readonly meaning: string;
}

/** The lines between two markers that begin as given. */
function linesOf(page: string, marker: string, beginning: string): readonly string[] {
  const part = page.match(new RegExp(`<!-- ${marker} -->([\\s\\S]*?)<!-- /${marker} -->`))?.[1] ?? "";
  const whole = part.replaceAll(/\n {2}(?=\S)/g, " "); // an item of a list may go on in the next line
  return whole.split("\n").filter((line) => line.startsWith(beginning));
}

const wordsOf = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);

/** The rows of the README's table of metrics. */
function rowsOf(readme: string): readonly Row[] {
  return linesOf(readme, "metrics", "| `").map((line) => {
    const [name = "", kind = "", unit = "", meaning = ""] = line
      .split("|")
      .slice(1)
      .map((cell) => cell.trim());
    return { name: wordsOf(name)[0] ?? "", kind, unit: wordsOf(unit)[0] ?? "", meaning };
  });
}

/** The attributes of each metric: a list that has an item for those with the same. */
function attributesIn(page: string): readonly (readonly [name: string, attributes: readonly string[]])[] {
  return linesOf(page, "metric-attributes", "- ").flatMap((line) => {
    const [attributes = "", metrics = ""] = line.split(": ");
    return wordsOf(metrics).map((name) => [name, wordsOf(attributes)] as const);
  });
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);
const byName = (a: readonly [string, unknown], b: readonly [string, unknown]) => (a[0] < b[0] ? -1 : 1);

describe("the tables of metrics", () => {
  test("have a row for each metric, with its kind, unit and description, and no other", () => {
    const reported = METRICS.map(({ name, kind, unit, description }) => ({
      ...{ name, kind, unit, meaning: lowerFirst(description) },
    }));
    expect(rowsOf(readProjectFile("README.md"))).toEqual(reported);
  });

  test("name the attributes of each metric, and those of no other", () => {
    const reported = METRICS.map(({ name, attributes }) => [name, [...attributes]] as const);
    const told = attributesIn(readProjectFile("src/adapters/otel/README.md"));
    expect([...told].sort(byName)).toEqual([...reported].sort(byName));
  });

  test("would notice a wrong row", () => {
    const readme =
      "<!-- metrics -->\n| a | b |\n|---|---|\n| `x_total` | counter | `{x}` | of x |\n<!-- /metrics -->";
    expect(rowsOf(readme)).toEqual([{ name: "x_total", kind: "counter", unit: "{x}", meaning: "of x" }]);
    expect(rowsOf("| `x_total` | counter |")).toEqual([]);
    const page = "\n- `a`, `b.c`: `x_total`,\n  `y`\n- none: `z`\n";
    expect(attributesIn(`<!-- metric-attributes -->${page}<!-- /metric-attributes -->`)).toEqual([
      ["x_total", ["a", "b.c"]],
      ["y", ["a", "b.c"]],
      ["z", []],
    ]);
    expect(attributesIn(page)).toEqual([]);
  });
});

describe("names of metrics", () => {
  test("are given once, in the manner of Prometheus, but for that of a convention", () => {
    const names = METRICS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const ours = names.filter((name) => name !== "messaging.process.duration");
    expect(ours.filter((name) => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([]);
  });

  test("end in _total for counters alone, and name seconds where these are the unit", () => {
    for (const { name, kind, unit } of METRICS) {
      expect(name.endsWith("_total"), name).toBe(kind === "counter");
      if (!name.includes(".")) expect(/_seconds(_total)?$/.test(name), name).toBe(unit === "s");
    }
  });
});
