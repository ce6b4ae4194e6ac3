import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { createThreads, expectHundred, inThread, rejection } from "../support/threads.js";

const more = {
  behave: inThread("strange.mjs", "behave"),
  throwUnspeakable: inThread("strange.mjs", "throwUnspeakable"),
};
const one = { threads: { max: 1 } };

const harmless = [
  ...["postNull", "postReady", "postJunk", "postMany", "closeParentPort", "unrefParentPort", "emitExit"],
  ...["emitBeforeExit", "removeAllListeners", "ownUncaught", "setExitCode"],
  ...["breakPerformance", "breakTimers", "breakExit"],
];

describe("P17: threads that play with what they are made of", () => {
  test.each(harmless)("%s: the task completes, and the thread goes on", async (how) => {
    const scene = createThreads(one, more);
    expect(await scene.run("behave", { how })).toBe(how);
    await expectHundred(scene);
    expect(scene.watch.exited).toEqual([]);
    const { busyMs, aliveMs } = scene.tasks.stats().threads;
    expect(busyMs).toBeGreaterThan(0);
    expect(aliveMs).toBeGreaterThan(0);
    expect(scene.watch.finished.every(({ finishedAt }) => Number(finishedAt) > 0)).toBe(true);
  });

  test("after it has removed all listeners, what it leaves behind is still its own fault", async () => {
    const { run, watch } = createThreads(one, more);
    await run("behave", { how: "removeAllListeners" });
    for (const how of ["throwLate", "rejectLate"]) {
      const faults = watch.lateFaults.length;
      await run("behave", { how: "removeAllListeners" });
      await run("die", { how });
      const innocent = run("sleep", { ms: 30 });
      await watch.until(() => watch.lateFaults.length > faults);
      expect(await innocent).toEqual(expect.any(Number));
    }
  });

  test.each([
    ["reallyExit", { exitCode: 6 }],
    ["closeAllPorts", {}],
    ["abort", {}],
  ])("%s while the task waits fails that task alone", async (how, expected) => {
    const scene = createThreads(one, more);
    const error = await rejection(scene.run("behave", { how, wait: true }));
    if (how !== "abort") expect(error).toMatchObject({ code: "MILLRACE_WORKER_EXIT", ...expected });
    await expectHundred(scene);
  });

  test("a thread that has closed its channel and lives on is replaced", async () => {
    const scene = createThreads(one, more);
    await rejection(scene.run("behave", { how: "closeAllPorts", keepAlive: true }));
    await expectHundred(scene);
    expect(scene.watch.reasons).toEqual(["exited"]);
  });

  test("what it makes throw in its thread is the late fault of that task", async () => {
    const scene = createThreads(one, more);
    expect(await scene.run("behave", { how: "emitMessage" })).toBe("emitMessage");
    await scene.watch.until(() => scene.watch.exited.length === 1);
    expect(scene.watch.lateFaults).toMatchObject([{ handler: "behave", error: { name: "TypeError" } }]);
    await expectHundred(scene);
  });

  test.each([false, true])(
    "a thrown value that cannot be text is told of all the same (late: %s)",
    async (late) => {
      const scene = createThreads(one, more);
      const ended = scene.run("throwUnspeakable", { late });
      if (late) {
        await ended;
        await scene.watch.until(() => scene.watch.lateFaults.length === 1);
        expect(scene.watch.lateFaults[0]?.error).toBeInstanceOf(Error);
      } else {
        expect(await rejection(ended)).toBeInstanceOf(Error);
      }
      await expectHundred(scene);
    },
  );

  test("so is one that a module throws when it is imported", async () => {
    const directory = mkdtempSync(join(tmpdir(), "millrace-strange-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "unspeakable.mjs");
    writeFileSync(file, "throw { toString: 1, valueOf: 1 };");
    const scene = createThreads(one, { bad: inThread(pathToFileURL(file)) });
    expect(await rejection(scene.run("bad"))).toMatchObject({ code: "MILLRACE_HANDLER_LOAD" });
    await expectHundred(scene);
  });
});
