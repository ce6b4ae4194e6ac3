import { describe, expect, onTestFinished, test } from "vitest";
import { createThreads, expectHundred, inThread, rejection } from "../support/threads.js";

const more = {
  pollute: inThread("tenants.mjs", "pollute"),
  traces: inThread("tenants.mjs", "traces"),
  changeDirectory: inThread("tenants.mjs", "changeDirectory"),
};

const CLEAN = { inherited: undefined, global: undefined, env: undefined, neighbours: 0, timers: 0 };

describe("P6, P15: what a task leaves in its thread", () => {
  test("with a thread for each task, nobody finds what a neighbour left", async () => {
    const { run, watch } = createThreads({ threads: { max: 1, maxTasksPerThread: 1 } }, more);
    for (let time = 0; time < 3; time++) {
      expect(await run("pollute")).not.toMatchObject({ neighbours: 0 });
      expect(await run("traces")).toEqual(CLEAN);
    }
    await watch.until(() => watch.exited.length >= 5);
    expect(new Set(watch.reasons)).toEqual(new Set(["task-count"]));
    expect(watch.exited.every(({ attempts }) => attempts === 1)).toBe(true);
  });

  test("else they share it, and go on working in what was left; main never sees any of it", async () => {
    const scene = createThreads({ threads: { max: 1 } }, more);
    const before = { ...process.env };
    const { exitCode } = process;
    await scene.run("pollute");
    expect(await scene.run("traces")).toMatchObject({ global: true, neighbours: 1, timers: 1 });
    await expectHundred(scene);
    expect("polluted" in {}).toBe(false);
    expect({ ...process.env }).toEqual(before);
    expect(process.exitCode).toBe(exitCode);
    expect([1].concat([2]).push(3)).toBe(3);
  });

  test("a thread cannot change the directory of the process", async () => {
    const { run } = createThreads({}, more);
    const before = process.cwd();
    expect(await rejection(run("changeDirectory"))).toMatchObject({
      code: "ERR_WORKER_UNSUPPORTED_OPERATION",
    });
    expect(process.cwd()).toBe(before);
  });
});

describe("V18: what a thread is told", () => {
  function keepSecret(): void {
    process.env["MILLRACE_TEST_SECRET"] = "canary";
    process.argv.push("--canary");
    onTestFinished(() => {
      delete process.env["MILLRACE_TEST_SECRET"];
      process.argv.pop();
    });
  }

  test("nothing of the process's environment, arguments and options, unless it is asked for", async () => {
    keepSecret();
    const { run } = createThreads();
    expect(await run("environment")).toEqual({ env: {}, argv: [], execArgv: [] });
  });

  test("what it is asked to be told, as a copy of its own", async () => {
    keepSecret();
    const env: Record<string, string | undefined> = { ...process.env, NO_VALUE: undefined };
    const { run } = createThreads(
      {
        threads: {
          ...{ max: 1, env, argv: ["--fast"], execArgv: ["--no-warnings"], workerData: { region: "north" } },
        },
      },
      { ...more, given: inThread("given.mjs") },
    );
    env["MILLRACE_TEST_SECRET"] = "changed later";
    const told = (await run("environment")) as { env: Record<string, string> };
    expect(told).toMatchObject({ argv: ["--fast"], execArgv: ["--no-warnings"] });
    expect(told.env).toMatchObject({ MILLRACE_TEST_SECRET: "canary" });
    expect("NO_VALUE" in told.env).toBe(false);
    await run("pollute");
    expect(process.env["POLLUTED"]).toBeUndefined();
    expect(env["POLLUTED"]).toBeUndefined();
    expect(await run("given")).toEqual({ region: "north" });
  });
});
