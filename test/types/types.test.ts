import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUILT_TYPES, ONE_CHECKER } from "../support/built-types.js";
import { programFiles } from "../tidy/sources.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = `${root}.tmp/types`;

/** A call on a manager without a backend. */
const unbacked = (call: string): readonly [says: string, code: string] => [
  "give the task manager a backend, for durable tasks",
  `import { defineHandlers, json, TaskManager } from "millrace";
   const handlers = defineHandlers({ send: { payload: json<string>() } });
   new TaskManager({ handlers }).${call};`,
];

/** Programs that must not compile, each with what the compiler has to say of it. */
const wrong: Readonly<Record<string, readonly [says: string, code: string]>> = {
  "date-in-json": [
    "JSON cannot hold a Date",
    `import { json } from "millrace";
     json<{ to: { list: { at: Date }[] } }>();`,
  ],
  "unknown-option": [
    "unknown handler option",
    `import { defineHandlers, json } from "millrace";
     defineHandlers({ send: { payload: json<string>(), timeout: 5, run: () => 1 } });`,
  ],
  "run-and-module": [
    "give run or module, not both",
    `import { defineHandlers, json } from "millrace";
     defineHandlers({ send: { payload: json<string>(), run: () => 1, module: new URL("file:///x.js") } });`,
  ],
  "wrong-result": [
    "run does not return what the result schema takes",
    `import { defineHandlers, json } from "millrace";
     defineHandlers({ send: { payload: json<string>(), result: json<number>(), run: () => "5" } });`,
  ],
  "repeated-name": [
    "the handler send is in two of the registries",
    `import { combineHandlers, defineHandlers, json } from "millrace";
     const handlers = defineHandlers({ send: { payload: json<string>() } });
     combineHandlers(handlers, handlers);`,
  ],
  "circular-result": [
    "implicitly has type 'any' because it does not have a type annotation and is referenced",
    `import { defineHandlers, json, TaskManager } from "millrace";
     const handlers = defineHandlers({
       parent: { payload: json<number>(), run: async (depth) => (await tasks.execute("parent", depth)) + 1 },
     });
     const tasks = new TaskManager({ handlers });`,
  ],
  "durable-one": unbacked(`enqueueDurable("send", "a")`),
  "durable-many": unbacked(`enqueueDurableMany([["send", "a"]])`),
  "durable-handle": unbacked(`handle("send", "default:1")`),
  "durable-replay": unbacked(`replayDeadLetters({ ids: ["default:1"] })`),
  "types-differ": [
    "Expected 1 arguments, but got 0",
    `import { same } from "../../test/types/same.js";
     same<{ a: string }, { a?: string }>();`,
  ],
  "needless-directive": [
    "Unused '@ts-expect-error' directive",
    `import { json } from "millrace";
     // @ts-expect-error: nothing is wrong here
     json<string>();`,
  ],
};

/** The older compiler takes seconds where the machine is idle. */
const SLOW = { timeout: 120_000 };

const fixtures = programFiles("test/types").filter((path) => !path.endsWith(".test.ts"));
const compilers = [
  { name: "typescript", version: /^Version 7\./, options: ONE_CHECKER },
  { name: "typescript-5.9", version: /^Version 5\.9\./, options: [] },
];

function compile(name: string, ...args: readonly string[]) {
  const compiler = fileURLToPath(new URL("bin/tsc", import.meta.resolve(`${name}/package.json`)));
  return spawnSync(process.execPath, [compiler, ...args], { encoding: "utf8", cwd: root });
}

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, [, code]] of Object.entries(wrong)) writeFileSync(`${folder}/${name}.ts`, `${code}\n`);
  const include = ["*.ts", ...fixtures.map((path) => `../../${path}`)];
  const config = {
    extends: "../../test/tsconfig.json",
    compilerOptions: { paths: BUILT_TYPES },
    include,
    exclude: [],
  };
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(compilers)("with $name", ({ name, version, options }) => {
  /** All errors, of what is right and what is wrong: it would take twice as long to compile them apart. */
  let errors: readonly string[] = [];
  let status: number | null = null;

  beforeAll(() => {
    const compiled = compile(name, "-p", folder, "--pretty", "false", ...options);
    // An error begins at a line with a path; what follows is indented.
    errors = compiled.stdout.split(/\n(?=\S)/);
    status = compiled.status;
  }, SLOW.timeout);

  const isWrong = (error: string) => error.startsWith(".tmp/types/");

  test("the compiler is the one that is meant", () => {
    expect(compile(name, "--version").stdout).toMatch(version);
  });

  test("the fixtures compile, with an error wherever they expect one", () => {
    expect(fixtures.length).toBeGreaterThan(3);
    expect(errors.filter((error) => !isWrong(error))).toEqual([]);
  });

  test("programs that are wrong do not compile, and the compiler says why in our words", () => {
    expect(status).not.toBe(0);
    for (const [file, [says]] of Object.entries(wrong)) {
      const own = errors.filter((error) => error.includes(`/${file}.ts(`)).join("\n");
      expect(own, file).toContain(says);
    }
  });
});

test("the scripts name their compiler by its path, since npm links a program of that name for either", () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
  expect(scripts.build).toBe("node node_modules/typescript/bin/tsc");
  expect(scripts.check).toContain("node node_modules/typescript/bin/tsc -p test");
});
