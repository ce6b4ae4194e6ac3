import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUILT_TYPES, ONE_CHECKER } from "../support/built-types.js";
import { bundledBuild, linkBuild } from "../support/bundled-build.js";
import { RedisServer } from "../support/redis-server.js";
import { REDIS_URL, readPages, root } from "./pages.js";

// What "millrace" means in it is put beside the pages.
const folder = `${root}.tmp/readme`;
const pages = readPages(folder);
const examples = pages.flatMap((page) => page.examples);

/** What runs: to have each process compile its program takes longer than to run it. */
const toJs = (file: string) => file.replace(/\.ts$/, ".js");

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
  const here = (code: string) => code.replaceAll(REDIS_URL, server.url);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  linkBuild(bundledBuild(), folder);
  for (const page of pages) {
    mkdirSync(page.folder, { recursive: true });
    for (const { file, code } of page.examples) {
      writeFileSync(file, code);
      writeFileSync(toJs(file), transformSync(here(code), { loader: "ts", target: "node20" }).code);
    }
    for (const { name, code } of page.modules) writeFileSync(`${page.folder}/${name}`, here(code));
  }
  const compilerOptions = { paths: BUILT_TYPES };
  const config = { extends: "../../test/tsconfig.json", compilerOptions, include: ["*/*.ts"], exclude: [] };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
}, 150_000);

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server[Symbol.asyncDispose]();
});

describe.each(pages)("$name", ({ text, examples, modules }) => {
  test("shows the output of every program, so that none goes unchecked", () => {
    expect(text.match(/```ts\n/g) ?? []).toHaveLength(examples.length);
  });

  test("has a name for each file that stands beside a program, which uses it", () => {
    const named = modules.map(({ name }) => name);
    expect(text.match(/```js\n/g) ?? []).toHaveLength(modules.length);
    expect(new Set(named).size).toBe(named.length);
    const unused = named.filter((name) => !examples.some(({ code }) => code.includes(`"./${name}"`)));
    expect(unused).toEqual([]);
  });

  test("has no code outside its fences", () => {
    const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, "");
    const strays = prose
      .split("\n")
      .filter((line) => /^(import|export|const|let|await|console)\b/.test(line.trim()));
    expect(strays).toEqual([]);
    expect(prose).not.toContain("```");
  });
});

describe("the programs of all pages", () => {
  test("are there, each once", () => {
    expect(pages.length).toBeGreaterThan(1);
    expect(pages[0]?.examples.length).toBeGreaterThan(0);
    expect(new Set(examples.map(({ code }) => code)).size).toBe(examples.length);
  });

  test("compile", () => {
    const compiler = fileURLToPath(new URL("bin/tsc", import.meta.resolve("typescript/package.json")));
    const compiled = spawnSync(process.execPath, [compiler, "-p", folder, ...ONE_CHECKER], {
      encoding: "utf8",
    });
    expect(compiled.stdout).toBe("");
    expect(compiled.status).toBe(0);
  });

  test.each(examples)("print what they say: $page, $file", ({ code, output, file }) => {
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
