import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSource, walk } from "../tidy/sources.js";
import {
  letContextGo,
  letGo,
  sdkAfterInstrument,
  sdkAfterTasks,
  threadModules,
  toCommonJs,
  tracedThread,
  withoutSdk,
} from "./otel-programs.js";
import { type Packed, packAndInstall, projectRoot } from "./pack.js";
import {
  bundledAll,
  bundledMain,
  bundledWorker,
  useThreads,
  withoutThreads,
  work,
} from "./thread-programs.js";

const program = (name: string) => join(projectRoot, "node_modules", ".bin", name);

/** What Grafana, Prometheus and a reader of the README take from the package. */
const forOtherTools = ["alerts.yml", "millrace.json"].map((name) => `src/adapters/otel/dashboard/${name}`);

let packed: Packed;

beforeAll(async () => {
  packed = await packAndInstall();
}, 120_000);

afterAll(() => packed?.remove());

describe("the tarball", () => {
  test("passes publint, suggestions included", async () => {
    const { buffer } = Uint8Array.from(await readFile(packed.tarball));
    const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  test("resolves with its types in every way that ESM packages are resolved", async () => {
    const ran = await packed.run(program("attw"), [
      packed.tarball,
      "--profile",
      "esm-only",
      "--format",
      "ascii",
      "--exclude-entrypoints", // no program can import it, and none is meant to
      "./otel/alerts.yml",
    ]);
    expect(ran.code, `${ran.stdout}${ran.stderr}`).toBe(0);
  }, 120_000);

  test("holds the build, its sources and the papers, and nothing else", () => {
    const papers = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "package.json"];
    const others = packed.files.filter((path) => !papers.includes(path));
    const isBuilt = (path: string) => /^dist\/.+\.(js|d\.ts)(\.map)?$/.test(path);
    const isSource = (path: string) => /^src\/.+\.(ts|md)$/.test(path) || forOtherTools.includes(path);
    expect(packed.files).toEqual(expect.arrayContaining([...papers, ...forOtherTools]));
    expect(others.filter((path) => !isBuilt(path) && !isSource(path))).toEqual([]);

    const built = others.filter((path) => path.endsWith(".js"));
    const sources = others.filter((path) => path.endsWith(".ts") && isSource(path));
    expect(built.map((path) => path.replace(/^dist\/(.*)\.js$/, "src/$1.ts")).sort()).toEqual(sources.sort());
  });

  test("is smaller than 1 MB", () => {
    expect(packed.size).toBeLessThan(1_000_000);
  });

  test("awaits nothing while it loads, so that require works", async () => {
    const scripts = packed.files.filter((path) => path.endsWith(".js"));
    expect(scripts).not.toEqual([]);
    for (const path of scripts) expect(awaitsAtTopLevel(path, await packed.read(path)), path).toBe(false);
  });
});

describe("a program that installed the package", () => {
  const body = `
    const tasks = new TaskManager({ concurrency: 2 });
    const handle = tasks.enqueue(async () => 42);
    console.log(await handle.result());
    await tasks.stopGraceful();`;

  test("imports it, runs a task, and ends by itself", async () => {
    await packed.write({ "esm.mjs": `import { TaskManager } from "millrace";${body}` });
    expect(await packed.run(process.execPath, ["esm.mjs"])).toMatchObject({
      code: 0,
      stdout: "42\n",
      stderr: "",
    });
  });

  test("requires it, runs a task, and ends by itself", async () => {
    const text = `const { TaskManager } = require("millrace");\n(async () => {${body}\n})();`;
    await packed.write({ "commonjs.cjs": text });
    expect(await packed.run(process.execPath, ["commonjs.cjs"])).toMatchObject({ code: 0, stdout: "42\n" });
  });

  test("loads the testing tools in both ways, and ends by itself", async () => {
    await packed.write({
      "testing.mjs": `import * as testing from "millrace/testing"; console.log(Object.keys(testing).length > 0);`,
      "testing.cjs": `const testing = require("millrace/testing"); console.log(Object.keys(testing).length > 0);`,
    });
    for (const name of ["testing.mjs", "testing.cjs"]) {
      expect(await packed.run(process.execPath, [name])).toMatchObject({ code: 0, stdout: "true\n" });
    }
  });

  test("loads the codec of protobufjs types in both ways, without protobufjs: types bring it along", async () => {
    const use = `
      const type = { encode: () => ({ finish: () => Uint8Array.of(1) }), decode: () => ({}), verify: () => null, fromObject: (one) => one };
      console.log([...protobufCodec(type)["~codec"].encode({})]);`;
    await packed.write({
      "protobuf.mjs": `import { protobufCodec } from "millrace/protobuf";${use}`,
      "protobuf.cjs": `const { protobufCodec } = require("millrace/protobuf");${use}`,
    });
    for (const name of ["protobuf.mjs", "protobuf.cjs"])
      expect(await packed.run(process.execPath, [name])).toMatchObject({
        code: 0,
        stdout: "[ 1 ]\n",
        stderr: "",
      });
  });

  test("finds the dashboard and the alert rules", async () => {
    await packed.write({
      "watch.mjs": `
        import { readFileSync } from "node:fs";
        import { fileURLToPath } from "node:url";
        const read = (name) => readFileSync(fileURLToPath(import.meta.resolve(name)), "utf8");
        console.log(JSON.parse(read("millrace/otel/dashboard.json")).title);
        console.log(read("millrace/otel/alerts.yml").includes("alert: MillraceNoProgress"));`,
    });
    expect(await packed.run(process.execPath, ["watch.mjs"])).toMatchObject({
      ...{ code: 0, stdout: "Millrace\ntrue\n", stderr: "" },
    });
  });

  test("cannot reach what is inside", async () => {
    const inside = `import("millrace/dist/errors.js").catch((error) => console.log(error.code));`;
    const ran = await packed.run(process.execPath, ["-e", inside]);
    expect(ran.stdout).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED\n");
  });

  test("finds its types, from ESM and from CommonJS", async () => {
    const compilerOptions = {
      module: "nodenext",
      target: "es2022",
      strict: true,
      noEmit: true,
    };
    const use = `
      import { OptionError, TaskManager } from "millrace";
      import * as testing from "millrace/testing";
      export async function main(): Promise<number> {
        const tasks = new TaskManager({ concurrency: 2 });
        const handle = tasks.enqueue(async () => 42);
        const value: number = await handle.result();
        // @ts-expect-error the result of this task is a number
        const text: string = await handle.result();
        await tasks.stopGraceful();
        await using other = new TaskManager();
        other.enqueue(() => 1);
        const code: "MILLRACE_OPTION" = new OptionError(text, text).code;
        return value + code.length + Object.keys(testing).length;
      }`;
    await packed.write({
      "tsconfig.json": JSON.stringify({ compilerOptions, files: ["types.mts", "types.cts"] }),
      "types.mts": use,
      "types.cts": use,
    });
    const ran = await packed.run(program("tsc"), ["-p", "."], 100_000);
    expect(ran.code, ran.stdout).toBe(0);
  }, 120_000);
});

test("what is inferred of its types can be exported by a package that emits declarations", async () => {
  const compilerOptions = { module: "nodenext", target: "es2022", strict: true, declaration: true };
  const lib = ["es2023", "esnext.disposable", "dom"];
  await packed.write({
    "tsconfig.json": JSON.stringify({
      compilerOptions: { ...compilerOptions, lib, emitDeclarationOnly: true, outDir: "declared" },
      files: ["exports.mts"],
    }),
    "used.json": JSON.stringify({
      compilerOptions: { ...compilerOptions, lib, noEmit: true },
      files: ["main.mts"],
    }),
    "exports.mts": `
      import { combineHandlers, defineHandlers, json, memoryBackend, TaskManager } from "millrace";
      import { createTestManager } from "millrace/testing";
      export const mail = defineHandlers({ send: { payload: json<{ to: string }>(), run: () => 1 } });
      export const reports = defineHandlers({ print: { payload: json<string>() } });
      export const handlers = combineHandlers(mail, reports);
      export const plain = new TaskManager();
      export const local = new TaskManager({ handlers });
      export const durable = new TaskManager({ handlers, backend: memoryBackend() });
      export const written = new TaskManager<typeof handlers>({ handlers });
      export const sent = durable.enqueueDurable("send", { to: "a" });
      export const many = durable.enqueueDurableMany([["print", "a"]]);
      export const kit = createTestManager({ handlers });`,
    "main.mts": `
      import { durable, local, written } from "./declared/exports.mjs";
      durable.handle("send", "default:1");
      written.handle("send", "default:1");
      // @ts-expect-error it has no backend
      local.handle("send", "default:1");
      // @ts-expect-error no such handler
      durable.handle("sned", "default:1");`,
  });
  const emitted = await packed.run(program("tsc"), ["-p", "."], 100_000);
  expect(emitted.code, emitted.stdout).toBe(0);
  const used = await packed.run(program("tsc"), ["-p", "used.json"], 100_000);
  expect(used.code, used.stdout).toBe(0);
}, 240_000);

describe("millrace/redis, installed", () => {
  const use = `
    import { redisBackend } from "millrace/redis";
    try {
      const backend = redisBackend({ url: "redis://127.0.0.1:1", commandTimeoutMs: 100 });
      backend.inspector.counts(["default"]).catch((error) => console.log(error.code));
    } catch (error) {
      console.log(error.code, error.message, error.cause.code);
    }`;

  async function runBothWays() {
    await packed.write({ "redis.mjs": use, "redis.cjs": toCommonJs(use) });
    return await Promise.all(["redis.mjs", "redis.cjs"].map((name) => packed.run(process.execPath, [name])));
  }

  test("loads without its peer, and says how to install it when it is used", async () => {
    const message =
      "MILLRACE_PEER_MISSING millrace/redis needs ioredis: npm install ioredis MODULE_NOT_FOUND";
    expect(await runBothWays()).toEqual(Array(2).fill({ code: 0, stdout: `${message}\n`, stderr: "" }));
  });

  test("with its peer, tells that there is no Redis, and the program ends by itself", async () => {
    await packed.link("ioredis");
    const stdout = "MILLRACE_STORE_UNREACHABLE\n";
    expect(await runBothWays()).toEqual(Array(2).fill({ code: 0, stdout, stderr: "" }));
  }, 60_000);
});

describe("millrace/otel, installed", () => {
  /** Runs it as ESM and as CommonJS: how each ended. */
  async function runBothWays(text: string, ...flags: readonly string[]) {
    await packed.write({ "otel.mjs": text, "otel.cjs": toCommonJs(text) });
    const run = (name: string) => packed.run(process.execPath, [...flags, name]);
    return await Promise.all([run("otel.mjs"), run("otel.cjs")]);
  }

  const printed = (stdout: string) => Array(2).fill({ code: 0, stdout, stderr: "" });

  test("loads without its peer, and says how to install it when it is used", async () => {
    const ran = await runBothWays(`
      import { TaskManager } from "millrace";
      import { instrument, instrumentThread } from "millrace/otel";
      const tasks = new TaskManager();
      for (const use of [() => instrument(tasks), instrumentThread]) {
        try {
          use();
        } catch (error) {
          console.log(error.code, error.message, error.cause.code);
        }
      }
      tasks.execute(() => 1).then((value) => console.log("ran", value));`);
    const advice = "millrace/otel needs @opentelemetry/api: npm install @opentelemetry/api";
    const message = `MILLRACE_PEER_MISSING ${advice} MODULE_NOT_FOUND`;
    expect(ran).toEqual(printed(`${message}\n${message}\nran 1\n`));
  });

  describe("with OpenTelemetry", () => {
    beforeAll(() => packed.link("@opentelemetry"));

    test("has metrics where the SDK starts after instrument was called", async () => {
      expect(await runBothWays(sdkAfterInstrument)).toEqual(printed("1 1\n"));
    });

    test("has metrics where the SDK starts after tasks have run, which are counted too", async () => {
      expect(await runBothWays(sdkAfterTasks)).toEqual(printed("true true\n"));
    });

    test("goes on with traces in worker threads", async () => {
      await packed.write(threadModules);
      expect(await runBothWays(tracedThread)).toEqual(printed("process default true\n"));
    });

    test("keeps no process alive where no SDK comes", async () => {
      expect(await runBothWays(withoutSdk)).toEqual(printed("ran 1\n"));
    });

    test("holds no manager that has stopped, or is watched no more", async () => {
      expect(await runBothWays(letGo, "--expose-gc")).toEqual(printed("true true true\n"));
    });

    test("holds no async context of who instrumented", async () => {
      expect(await runBothWays(letContextGo, "--expose-gc")).toEqual(printed("true running\n"));
    });

    test("finds its types, from ESM and from CommonJS", async () => {
      const use = `
        import { MeterProvider } from "@opentelemetry/sdk-metrics";
        import { TaskManager } from "millrace";
        import { instrument, instrumentThread, type InstrumentOptions } from "millrace/otel";
        const options: InstrumentOptions = { meterProvider: new MeterProvider(), name: "mail" };
        export const watching: Disposable = instrument(new TaskManager(), options);
        instrumentThread satisfies () => void;
        // @ts-expect-error it is a manager that is instrumented
        instrument({});`;
      const compilerOptions = { module: "nodenext", target: "es2022", strict: true, noEmit: true };
      const lib = ["es2023", "esnext.disposable", "dom"];
      await packed.write({
        "tsconfig.json": JSON.stringify({
          compilerOptions: { ...compilerOptions, lib },
          files: ["otel.mts", "otel.cts"],
        }),
        "otel.mts": use,
        "otel.cts": use,
      });
      const ran = await packed.run(program("tsc"), ["-p", "."], 100_000);
      expect(ran.code, ran.stdout).toBe(0);
    }, 120_000);
  });
});

describe("worker threads, installed", () => {
  const printed = [
    JSON.stringify({ sum: 3, attempt: 1, isMainThread: false }),
    "RangeError no zeros",
    "0 1 1",
  ];

  test("run a handler's module, from ESM and from CommonJS, and let the process end", async () => {
    await packed.write({
      "work.mjs": work,
      "work.cjs": `${toCommonJs(work).replace("export async", "async")}\nmodule.exports = { add };`,
      "threads.mjs": useThreads(`new URL("./work.mjs", import.meta.url)`),
      "threads.cjs": toCommonJs(
        useThreads(`require("node:url").pathToFileURL(require.resolve("./work.cjs"))`),
      ),
    });
    for (const name of ["threads.mjs", "threads.cjs"]) {
      const ran = await packed.run(process.execPath, [name]);
      expect(ran, name).toEqual({ code: 0, stdout: `${printed.join("\n")}\n`, stderr: "" });
    }
  });

  test("are not loaded where no handler has a module, and not by millrace/worker", async () => {
    const move = async (from: string, to: string) => {
      const script = `fs.renameSync("node_modules/${from}", "node_modules/${to}")`;
      expect(await packed.run(process.execPath, ["-e", script])).toMatchObject({ code: 0 });
    };
    await packed.write({ "none.mjs": withoutThreads, "none.cjs": toCommonJs(withoutThreads) });
    await move("tinypool", ".tinypool");
    try {
      for (const name of ["none.mjs", "none.cjs"]) {
        const ran = await packed.run(process.execPath, [name]);
        const stdout = "ran function function\nERR_MODULE_NOT_FOUND\n";
        expect(ran, name).toEqual({ code: 0, stdout, stderr: "" });
      }
    } finally {
      await move(".tinypool", "tinypool");
    }
  });

  test("work in a bundle of two entries, and of one, as the README says", async () => {
    await packed.write({
      "package.json": `{ "name": "consumer", "private": true, "type": "module" }`,
      "main.js": bundledMain,
      "worker.js": bundledWorker,
      "all.js": bundledAll,
      "arithmetic.js":
        "export const double = (value) => 2 * value;\nexport const halve = (value) => value / 2;\n",
    });
    const options = ["--bundle", "--platform=node", "--format=esm", "--packages=external", "--outdir=bundle"];
    const bundled = await packed.run(program("esbuild"), ["main.js", "worker.js", "all.js", ...options]);
    expect(bundled.code, bundled.stderr).toBe(0);
    const run = (name: string) => packed.run(process.execPath, [`bundle/${name}`]);
    expect(await run("main.js")).toEqual({ code: 0, stdout: "42 4\n", stderr: "" });
    expect(await run("all.js")).toEqual({ code: 0, stdout: "8\n", stderr: "" });
  });

  test("find their types, from ESM and from CommonJS", async () => {
    const module = `
      import { type TaskContext, skipRetry } from "millrace/worker";
      export async function resize(picture: { width: number }, { signal, locals }: TaskContext) {
        signal.throwIfAborted();
        if (Object.keys(locals).length > 9) throw skipRetry("too many");
        return picture.width > 1;
      }`;
    const use = (extension: string) => `
      import { defineHandlers, json, TaskManager, threadModule } from "millrace";
      type Module = typeof import("./typed.${extension}js");
      const handlers = defineHandlers({
        resize: {
          payload: json<{ width: number }>(),
          module: threadModule<Module, "resize">(new URL("file:///typed.${extension}js"), "resize"),
        },
      });
      const tasks = new TaskManager({ handlers, threads: { max: 2, env: process.env } });
      export async function main(): Promise<boolean> {
        // @ts-expect-error a number is asked for
        await tasks.execute("resize", { width: "5" });
        return await tasks.execute("resize", { width: 5 });
      }`;
    const compilerOptions = { module: "nodenext", target: "es2022", strict: true, noEmit: true };
    await packed.write({
      "tsconfig.json": JSON.stringify({ compilerOptions, files: ["threads.mts", "threads.cts"] }),
      ...{ "typed.mts": module, "typed.cts": module, "threads.mts": use("m"), "threads.cts": use("c") },
    });
    const ran = await packed.run(program("tsc"), ["-p", "."], 100_000);
    expect(ran.code, ran.stdout).toBe(0);
  }, 120_000);
});

test("the check of awaiting tells top-level awaits from others", () => {
  const awaits = (text: string) => awaitsAtTopLevel("dist/x.js", text);
  expect(awaits("await call();")).toBe(true);
  expect(awaits("if (call) { for await (const x of call()) x(); }")).toBe(true);
  expect(awaits("const f = async () => { await call(); }; class X { async x() { await call(); } }")).toBe(
    false,
  );
});

function awaitsAtTopLevel(path: string, text: string): boolean {
  let found = false;
  walk(parseSource(path, text).program, (node) => {
    if (/Function/.test(node.type)) return "skip";
    if (node.type === "AwaitExpression" || (node.type === "ForOfStatement" && node.await)) found = true;
    return undefined;
  });
  return found;
}
