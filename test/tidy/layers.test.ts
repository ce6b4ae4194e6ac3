import { describe, expect, test } from "vitest";
import { brokenLayers, crowdedAdapters, importCycles, indexesThatDoMore } from "./layers.js";
import { parseSource, sources } from "./sources.js";

describe("the layers of src", () => {
  test("imports go from later stages to earlier ones", () => {
    expect(brokenLayers(sources("src"))).toEqual([]);
  });

  test("an adapter rests on at most one package", () => {
    expect(crowdedAdapters(sources("src"))).toEqual([]);
  });

  test("no file imports itself by a detour, types included", () => {
    expect(importCycles(sources("src"))).toEqual([]);
  });

  test("an index.ts re-exports and does nothing else", () => {
    expect(indexesThatDoMore(sources("src"))).toEqual([]);
  });
});

describe("the check of layers reports", () => {
  const bad: readonly [what: string, path: string, text: string][] = [
    ["a stage of core that imports its neighbour", "core/queue/x.ts", `import { a } from "../limiter/a.js";`],
    ["a type import", "task/x.ts", `import type { Clock } from "../ports/clock.js";`],
    ["an import of one type among values", "errors.ts", `import { type Task } from "./task/task.js";`],
    ["an import inside a type", "ports/x.ts", `export type X = import("../core/queue/a.js").A;`],
    ["typeof import", "core/limiter/x.ts", `export type X = typeof import("../manager/a.js");`],
    ["a dynamic import", "core/manager/x.ts", `await import("../../adapters/system/clock.js");`],
    ["a re-export", "core/events/x.ts", `export { a } from "../durable/a.js";`],
    ["a re-export of everything", "core/durable/x.ts", `export * from "../queue/a.js";`],
    [
      "a collection that knows tasks",
      "core/collections/x.ts",
      `import type { Task } from "../../task/task.js";`,
    ],
    ["an adapter that imports another", "adapters/threads/x.ts", `import { a } from "../system/a.js";`],
    [
      "an adapter that imports the queue",
      "adapters/redis/x.ts",
      `import { a } from "../../core/queue/a.js";`,
    ],
    ["a composition root that knows redis", "task-manager.ts", `import { a } from "./adapters/redis/a.js";`],
    ["an index that reaches into the queue", "index.ts", `export { a } from "./core/queue/a.js";`],
    ["a core that knows the root", "core/manager/x.ts", `import { a } from "../../task-manager.js";`],
    ["testing that uses the core", "testing/x.ts", `import { a } from "../core/queue/a.js";`],
    ["testing that uses more than types of task", "testing/x.ts", `import { a } from "../task/a.js";`],
    ["a package in core", "core/queue/x.ts", `import heap from "heap-js";`],
    ["a module of Node in task", "task/x.ts", `import { randomUUID } from "node:crypto";`],
    ["a package in testing", "testing/x.ts", `import { test } from "vitest";`],
    ["an import from outside src", "adapters/system/x.ts", `import config from "../../../vitest.config.js";`],
    ["a file that belongs to no stage", "leftovers.ts", `export {};`],
    ["a file of core outside its stages", "core/x.ts", `export {};`],
    ["a package fetched with require", "core/manager/x.ts", `const x = require("tinypool");`],
  ];

  test.each(bad)("%s", (_what, path, text) => {
    expect(brokenLayers([parseSource(`src/${path}`, text)])).toHaveLength(1);
  });

  test("two packages in one adapter", () => {
    const first = parseSource("src/adapters/redis/a.ts", `import { Redis } from "ioredis";`);
    const second = parseSource("src/adapters/redis/b.ts", `import parser from "redis-parser/lib";`);
    expect(crowdedAdapters([first, second])).toEqual([
      "src/adapters/redis/ rests on ioredis, redis-parser: one package a folder",
    ]);
  });

  test("a cycle through a type", () => {
    const first = parseSource("src/task/a.ts", `import type { B } from "./b.js";`);
    const second = parseSource("src/task/b.ts", `import { c } from "./c.js";`);
    const third = parseSource("src/task/c.ts", `export * from "./a.js";`);
    expect(importCycles([first, second, third])).toEqual([
      "src/task/a.ts → src/task/b.ts → src/task/c.ts → src/task/a.ts",
    ]);
  });

  test("an index that declares something", () => {
    const index = parseSource("src/index.ts", `export * from "./errors.js";\nexport const version = 1;`);
    expect(indexesThatDoMore([index])).toEqual(["src/index.ts:2 is not a re-export"]);
  });
});

describe("the check of layers accepts", () => {
  const good: readonly [what: string, path: string, text: string][] = [
    ["a neighbour in the same stage", "core/queue/x.ts", `import { a } from "./a.js";`],
    ["a port", "core/limiter/x.ts", `import type { Clock } from "../../ports/clock.js";`],
    ["the stages of core in the manager", "core/manager/x.ts", `import { a } from "../limiter/a.js";`],
    [
      "a system adapter in the composition root",
      "task-manager.ts",
      `import { a } from "./adapters/system/a.js";`,
    ],
    [
      "modules of Node in an adapter",
      "adapters/system/x.ts",
      `import { performance } from "node:perf_hooks";`,
    ],
    ["types of task in testing", "testing/x.ts", `import type { Task } from "../task/task.js";`],
    ["a user's module by its address", "adapters/threads/x.ts", `await import(new URL(text).href);`],
  ];

  test.each(good)("%s", (_what, path, text) => {
    expect(brokenLayers([parseSource(`src/${path}`, text)])).toEqual([]);
  });
});
