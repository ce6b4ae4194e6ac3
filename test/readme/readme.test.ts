import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUILT_TYPES, ONE_CHECKER } from "../support/built-types.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
// Below the project, so that "millrace" means this package, as it does to whoever installed it.
const folder = `${root}.tmp/readme`;

const readme = readFileSync(`${root}README.md`, "utf8");
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)].map(
  ([, code = "", output = ""], index) => ({ code, output, file: `${folder}/example-${index + 1}.ts` }),
);
/** What programs have beside them: a block whose first line is a comment with its name. */
const modules = [...readme.matchAll(/```js\n\/\/ ([\w.-]+\.js)\n([\s\S]*?)```/g)].map(
  ([, name = "", code = ""]) => ({ name, code }),
);

/** What runs: to have each process compile its program takes longer than to run it. */
const toJs = (file: string) => file.replace(/\.ts$/, ".js");

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { file, code } of examples) {
    writeFileSync(file, code);
    writeFileSync(toJs(file), transformSync(code, { loader: "ts", target: "node20" }).code);
  }
  for (const { name, code } of modules) writeFileSync(`${folder}/${name}`, code);
  const compilerOptions = { paths: BUILT_TYPES };
  const config = { extends: "../../test/tsconfig.json", compilerOptions, include: ["*.ts"], exclude: [] };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the README", () => {
  test("shows the output of every program, so that none goes unchecked", () => {
    expect(examples.length).toBeGreaterThan(0);
    expect(readme.match(/```ts\n/g)).toHaveLength(examples.length);
  });

  test("has a name for each file that stands beside a program, which uses it", () => {
    const named = modules.map(({ name }) => name);
    expect(readme.match(/```js\n/g) ?? []).toHaveLength(modules.length);
    expect(new Set(named).size).toBe(named.length);
    const unused = named.filter((name) => !examples.some(({ code }) => code.includes(`"./${name}"`)));
    expect(unused).toEqual([]);
  });

  test("has no code outside its fences, and no program twice", () => {
    const prose = readme.replaceAll(/^```[\s\S]*?^```$/gm, "");
    const strays = prose
      .split("\n")
      .filter((line) => /^(import|export|const|let|await|console)\b/.test(line.trim()));
    expect(strays).toEqual([]);
    expect(prose).not.toContain("```");
    expect(new Set(examples.map(({ code }) => code)).size).toBe(examples.length);
  });

  test("has programs that compile", () => {
    const compiler = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
    const compiled = spawnSync(process.execPath, [compiler, "-p", folder, ...ONE_CHECKER], {
      encoding: "utf8",
    });
    expect(compiled.stdout).toBe("");
    expect(compiled.status).toBe(0);
  });

  test.each(examples)("prints what it says: $file", ({ code, output, file }) => {
    const run = spawnSync(process.execPath, [toJs(file)], {
      cwd: root,
      encoding: "utf8",
      timeout: 15_000,
    });
    expect(run.stderr).toBe("");
    expect(run.stdout).toBe(output);
    expect(run.status).toBe(code.includes("stopOnSignals(") ? 143 : 0);
  });
});
