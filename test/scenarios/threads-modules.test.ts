import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { HandlerLoadError, healthHandler, WorkerStartError } from "../../dist/index.js";
import { crowding } from "../support/crowding.js";
import {
  createThreads,
  expectHundred,
  inThread,
  rejection,
  type Threads,
  untilHolds,
} from "../support/threads.js";

/** A directory of its own for modules that the test writes, until it is over. */
function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-modules-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

const SOUND = "export default ({ n }) => n * 2;\n";

/** What can be wrong with a module; nothing stands for a file that is not there. */
const broken: Record<string, { source?: string; says: RegExp; cause?: object }> = {
  missing: { says: /Cannot find module/, cause: { code: "ERR_MODULE_NOT_FOUND" } },
  "throwing on import": {
    source: 'throw Object.assign(new RangeError("no database"), { code: "E_NO_DB" });',
    says: /no database/,
    cause: { name: "RangeError", code: "E_NO_DB" },
  },
  "with a syntax error": {
    source: "export default (=> 1;",
    says: /Unexpected/,
    cause: { name: "SyntaxError" },
  },
  "without the function": { source: "export const other = 1;", says: /exports no function "default"/ },
  "whose default is no function": { source: "export default 7;", says: /exports no function "default"/ },
  "that exits while it is imported": { source: "process.exit(4);", says: /process\.exit\(4\)/ },
  "that rejects at its top level": { source: 'await Promise.reject(new Error("late no"));', says: /late no/ },
};

describe("P8: modules that cannot be imported", () => {
  test.each(Object.entries(broken))("ten tasks of one %s reject, and others go on", async (_, wrong) => {
    const file = join(makeDirectory(), "handler.mjs");
    if (wrong.source !== undefined) writeFileSync(file, wrong.source);
    const scene = createThreads({}, { bad: inThread(pathToFileURL(file)) });
    const { tasks } = scene;
    const bad = Array.from({ length: 10 }, (_, n) => rejection(tasks.enqueue("bad", { n }).result()));
    const good = expectHundred(scene);
    for (const error of await Promise.all(bad)) {
      expect(error).toBeInstanceOf(HandlerLoadError);
      expect(error).toMatchObject({ handler: "bad", message: expect.stringMatching(wrong.says) });
      if (wrong.cause !== undefined) expect(error.cause).toMatchObject(wrong.cause);
    }
    await good;
  });

  test("mending the file heals its tasks within a second", async () => {
    const file = join(makeDirectory(), "handler.mjs");
    const { run, tasks, watch } = createThreads(
      { threads: { max: 1 } },
      { bad: inThread(pathToFileURL(file)) },
    );
    for (let time = 0; time < 12; time++) await rejection(run("bad", { n: time }));
    expect(tasks.stats().threads.failingHandlers).toEqual(["bad"]);
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["handler-failing"] });
    expect(watch.reasons.length).toBeLessThanOrEqual(10); // what is known to fail is not tried each time
    writeFileSync(file, SOUND);
    const mendedAt = performance.now();
    await untilHolds(async () => (await run("bad", { n: 4 }).catch(() => 0)) === 8);
    expect(performance.now() - mendedAt).toBeLessThan(1_000 * crowding() + 250);
    expect(tasks.stats().threads.failingHandlers).toEqual([]);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
  });

  test("a module that is never imported is given up in time, and its tasks with it", async () => {
    const file = join(makeDirectory(), "handler.mjs");
    writeFileSync(file, "await new Promise(() => setInterval(() => {}, 1_000));");
    const scene = createThreads(
      { threads: { max: 1, startTimeoutMs: 500 * crowding() } },
      { bad: inThread(pathToFileURL(file)) },
    );
    const error = await rejection(scene.run("bad"));
    expect(error).toBeInstanceOf(HandlerLoadError);
    expect(error.message).toContain("startTimeoutMs");
    await expectHundred(scene);
  });

  test("an end of the thread that is not the module's doing counts for nothing against it", async () => {
    const file = join(makeDirectory(), "handler.mjs");
    writeFileSync(file, `await new Promise(() => {}); ${SOUND}`);
    const { tasks, watch } = createThreads({ threads: { max: 1 } }, { slow: inThread(pathToFileURL(file)) });
    await tasks.enqueue("add", { a: 1, b: 1 }).result();
    const handle = tasks.enqueue("slow", { n: 1 });
    const ended = rejection(handle.result());
    await tasks.stopNow();
    expect(await ended).toMatchObject({ name: "ManagerStoppedError" });
    expect(tasks.stats().threads.failingHandlers).toEqual([]);
    expect(watch.reasons).toEqual(["stopped"]);
  });
});

/** Ways in which a thread does not come up, as options of Node for threads. */
function badStarts(directory: string): Record<string, readonly string[]> {
  const file = (name: string, source: string) => {
    const path = join(directory, name);
    writeFileSync(path, source);
    return pathToFileURL(path).href;
  };
  return {
    throws: ["--import", file("throws.mjs", 'throw new Error("no agent");')],
    exits: ["--import", file("exits.mjs", "process.exit(5);")],
    "throws later": ["--import", file("later.mjs", 'setImmediate(() => { throw new Error("no agent"); });')],
    "is not there": ["--import", "file:///there/is/no/such/file.mjs"],
    "is no option of threads": ["--expose-gc", "--no-such-option"],
  };
}

describe("P18: threads that do not come up", () => {
  test.each(["throws", "exits", "throws later", "is not there", "is no option of threads"])(
    "where what they import first %s, tasks reject in time and a stop is not held up",
    async (kind) => {
      const execArgv = badStarts(makeDirectory())[kind] ?? [];
      const { tasks, watch } = createThreads({ threads: { max: 2, execArgv } });
      const handles = Array.from({ length: 5 }, () => tasks.enqueue("add", { a: 1, b: 1 }));
      const errors = await Promise.all(handles.map((handle) => rejection(handle.result())));
      for (const error of errors) {
        expect(error).toBeInstanceOf(WorkerStartError);
        expect(error.cause).toBeInstanceOf(Error);
      }
      expect(new Set(watch.reasons)).toEqual(new Set(["start-failed"]));
      expect(watch.started).toEqual([]);
    },
  );

  test("a preload that throws is the cause of what its tasks reject with", async () => {
    const file = join(makeDirectory(), "preload.mjs");
    writeFileSync(file, 'throw new RangeError("no telemetry");');
    const { run } = createThreads({ threads: { max: 1, preload: [pathToFileURL(file)] } });
    const error = await rejection(run("add", { a: 1, b: 1 }));
    expect(error).toMatchObject({ name: "WorkerStartError", cause: { message: "no telemetry" } });
    expect(error.cause).toBeInstanceOf(RangeError);
  });

  test("one start that fails now and then is made up for: no task notices", async () => {
    const directory = makeDirectory();
    const counter = join(directory, "count");
    writeFileSync(counter, "");
    const file = join(directory, "flaky.mjs");
    const source = `import { appendFileSync, readFileSync } from "node:fs";
      appendFileSync(${JSON.stringify(counter)}, "x");
      if (readFileSync(${JSON.stringify(counter)}, "utf8").length % 3 !== 0) process.exit(1);`;
    writeFileSync(file, source);
    const scene = createThreads({ threads: { max: 1, preload: [pathToFileURL(file)] } });
    await expectHundred(scene);
    expect(await rejection(scene.run("die", { how: "exit" }))).toMatchObject({ exitCode: 7 });
    await expectHundred(scene);
    expect(scene.tasks.stats().threads.failing).toBe(false);
    expect(scene.watch.reasons.filter((reason) => reason === "start-failed").length).toBe(4);
  });
});

async function serveHealth(tasks: Threads): Promise<(path: string) => Promise<number>> {
  const server = createServer(healthHandler(tasks));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return async (path) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    await response.arrayBuffer();
    return response.status;
  };
}

describe("P19: a pool beyond repair", () => {
  test("ten failed starts: tasks reject, health is red; what was wrong is mended, and all is well", async () => {
    const file = join(makeDirectory(), "preload.mjs");
    writeFileSync(file, 'throw new Error("no agent");');
    const scene = createThreads({ threads: { max: 2, preload: [pathToFileURL(file)] } });
    const { run, tasks, watch } = scene;
    const ask = await serveHealth(tasks);
    expect(await ask("/livez")).toBe(200);
    const many = Array.from({ length: 20 }, () => rejection(run("add", { a: 1, b: 1 })));
    for (const error of await Promise.all(many)) {
      expect(error).toMatchObject({ code: "MILLRACE_WORKER_START", cause: { message: "no agent" } });
    }
    await watch.until(() => watch.exited.length >= 10); // they exit after they are counted
    expect(tasks.stats().threads.failing).toBe(true);
    expect(tasks.health()).toMatchObject({ status: "degraded", concerns: ["threads-failing"] });
    expect(await ask("/livez")).toBe(503);
    expect(await rejection(run("add", { a: 1, b: 1 }))).toBeInstanceOf(WorkerStartError);

    writeFileSync(file, "");
    const mendedAt = performance.now();
    await untilHolds(async () => (await run("add", { a: 1, b: 1 }).catch(() => 0)) === 2);
    expect(performance.now() - mendedAt).toBeLessThan(1_000 * crowding() + 250);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
    expect(await ask("/livez")).toBe(200);
    await expectHundred(scene);
  });

  test("it heals with nobody enqueueing, since who is told to send nothing sends nothing", async () => {
    const file = join(makeDirectory(), "preload.mjs");
    writeFileSync(file, 'throw new Error("no agent");');
    const { run, tasks, watch } = createThreads({ threads: { max: 1, preload: [pathToFileURL(file)] } });
    await rejection(run("add", { a: 1, b: 1 }));
    expect(tasks.stats().threads.failing).toBe(true);
    writeFileSync(file, "");
    await watch.until(() => watch.started.length === 1);
    expect(tasks.health()).toMatchObject({ status: "ok", concerns: [] });
  });
});
