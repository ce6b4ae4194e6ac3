import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { panelsOf, readDashboard } from "../support/dashboard.js";
import { takePicture } from "./take-picture.js";

const dashboard = readDashboard();
const committed = new URL("../../src/adapters/otel/dashboard/dashboard.svg", import.meta.url);

interface DrawnPanel {
  readonly title: string;
  readonly lines: readonly string[];
  readonly texts: readonly string[];
}

function readPanels(svg: string): readonly DrawnPanel[] {
  return [...svg.matchAll(/<g class="panel">([\s\S]*?)<\/g>/g)].map(([, body = ""]) => ({
    title: body.match(/class="title">([^<]*)</)?.[1] ?? "",
    lines: [...body.matchAll(/<path class="line" d="([^"]*)"/g)].map(([, path = ""]) => path),
    texts: [...body.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text = ""]) => text),
  }));
}

describe("the picture of the dashboard", () => {
  test("shows lines in every panel, of a short day too", async () => {
    const svg = await takePicture({ durationMs: 6_000, scrapeIntervalMs: 200 });
    const drawn = readPanels(svg);
    expect(drawn.map(({ title }) => title)).toEqual(panelsOf(dashboard).map(({ title }) => title));
    for (const { title, lines, texts } of drawn) {
      expect(
        lines.filter((path) => /^M[\d.]+,[\d.]+([LHV]|Z)/.test(path)),
        title,
      ).not.toEqual([]);
      expect(
        texts.filter((text) => text === "" || /NaN|undefined|\{\{/.test(text)),
        title,
      ).toEqual([]);
    }
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }, 60_000);

  test("in the repository is of the dashboard as it is: npm run picture draws it anew", () => {
    const drawn = readPanels(readFileSync(committed, "utf8"));
    expect(drawn.map(({ title }) => title)).toEqual(panelsOf(dashboard).map(({ title }) => title));
    for (const { title, lines } of drawn) expect(lines, title).not.toEqual([]);
  });
});
