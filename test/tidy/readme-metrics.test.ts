import { describe, expect, test } from "vitest";
import { METRICS } from "../../src/adapters/otel/metrics-reporter.js";
import { readProjectFile } from "./sources.js";

interface Row {
  readonly name: string;
  readonly kind: string;
  readonly unit: string;
  readonly attributes: readonly string[];
  readonly meaning: string;
}

/** The rows of the README's table of metrics. */
function rowsOf(readme: string): readonly Row[] {
  const table = readme.match(/<!-- metrics -->([\s\S]*?)<!-- \/metrics -->/)?.[1] ?? "";
  const lines = table.split("\n").filter((line) => line.startsWith("| `"));
  return lines.map((line) => {
    const [name = "", kind = "", unit = "", attributes = "", meaning = ""] = line
      .split("|")
      .slice(1)
      .map((cell) => cell.trim());
    const words = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
    return {
      name: words(name)[0] ?? "",
      kind,
      unit: words(unit)[0] ?? "",
      attributes: words(attributes),
      meaning,
    };
  });
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1);

describe("the README's table of metrics", () => {
  test("has a row for each metric, with its kind, unit, attributes and description, and no other", () => {
    const reported = METRICS.map(({ name, kind, unit, attributes, description }) => ({
      ...{ name, kind, unit, attributes },
      meaning: lowerFirst(description),
    }));
    expect(rowsOf(readProjectFile("README.md"))).toEqual(reported);
  });

  test("would notice a wrong row", () => {
    const readme =
      "<!-- metrics -->\n| a | b |\n|---|---|\n| `x_total` | counter | `{x}` | `a`, `b.c` | of x |\n<!-- /metrics -->";
    expect(rowsOf(readme)).toEqual([
      { name: "x_total", kind: "counter", unit: "{x}", attributes: ["a", "b.c"], meaning: "of x" },
    ]);
    expect(rowsOf("| `x_total` | counter |")).toEqual([]);
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
