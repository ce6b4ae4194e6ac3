import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { compiledExample } from "../support/compiled-examples.js";
import { importsOf, isRelative } from "../tidy/imports.js";
import { parseSource, programFiles, readProjectFile } from "../tidy/sources.js";
import { promised } from "./promised.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const MAX_LINES = 60;

/** All but the demo, which is a program of its own, with tests of its own. */
const files = programFiles("examples").filter((path) => !path.startsWith("examples/demo/"));
/** What can be run: a file by itself, or the main one of a folder, or one of a pair of programs. */
const MAIN = /^examples\/[^/]+(\/(main|producer|worker))?\.ts$/;
const examples = files.filter((path) => MAIN.test(path));
/** All that run by themselves: a collector, or a Redis, is for tests of their own. */
const selfContained = examples.filter(
  (path) => path !== "examples/otlp-metrics-and-traces.ts" && !path.startsWith("examples/durable-redis/"),
);

/** Those that are started as the README says; one of them is about that. The others were compiled before. */
const byTsx = ["examples/priority.ts", "examples/threads-typescript/main.ts"];

describe("the examples", () => {
  test.each(selfContained)("%s prints what it says", (path) => {
    const program = byTsx.includes(path) ? ["--import", "tsx", path] : [compiledExample(path)];
    const run = spawnSync(process.execPath, program, {
      ...{ cwd: root, encoding: "utf8", timeout: 15_000 },
    });
    expect(run.stderr).toBe("");
    expect(run.stdout).toBe(promised(readProjectFile(path)));
    expect(run.status).toBe(0);
  });

  test.each(files)("%s is short", (path) => {
    const lines = readProjectFile(path).trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(MAX_LINES);
    expect(lines.filter((line) => line.length > 110)).toEqual([]);
  });

  test("import Millrace as its users do", () => {
    for (const path of files) {
      const source = parseSource(path, readProjectFile(path));
      for (const { specifier } of importsOf(source)) {
        const known = [
          "millrace",
          "millrace/otel",
          "millrace/redis",
          "millrace/testing",
          "millrace/worker",
          "tsx/esm/api",
          "zod",
        ];
        const isKnown = known.includes(specifier) || specifier.startsWith("@opentelemetry/");
        const isNear = isRelative(specifier) && specifier.startsWith("./");
        expect(isKnown || isNear || specifier.startsWith("node:"), `${path}: ${specifier}`).toBe(true);
      }
    }
  });

  test("are those that their README lists, and as many as that of the project says", () => {
    const page = readProjectFile("examples/README.md");
    const listed = [...page.matchAll(/^\| \[[^\]]+\]\(([^)]+)\)/gm)].map(
      ([, path = ""]) => `examples/${path}`,
    );
    expect([...listed].sort()).toEqual([...examples].sort());
    expect(listed).toHaveLength(24);
    expect(readProjectFile("README.md")).toContain("Twenty-four short programs");
  });
});

test("the reader of promises finds the last comment, and nothing where there is none", () => {
  expect(promised("call();\n\n// Prints:\n// one\n//\n//  two\n")).toBe("one\n\n two\n");
  expect(promised("// Prints:\n// one\ncall();\n")).toBeUndefined();
});
