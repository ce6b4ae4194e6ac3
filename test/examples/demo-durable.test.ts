import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { Redis } from "ioredis";
import { afterAll, describe, expect, test, vi } from "vitest";
import type { DurableSummary } from "../../examples/demo/durable/durable-summary.ts";
import { BY_TSX, cleanUp, createFolder, Demo, UNDER_WAY } from "../support/demo.js";
import { findRedisServer } from "../support/redis-program.js";
import { RedisServer } from "../support/redis-server.js";

afterAll(cleanUp);

/** A demo that finds redis-server on its path, wherever the tests have it from. */
async function startDemo(words: readonly string[], start?: readonly string[]): Promise<Demo<DurableSummary>> {
  const { path, libraries } = await findRedisServer();
  const PATH = `${dirname(path)}:${process.env["PATH"] ?? ""}`;
  return new Demo(["--durable", ...words], { PATH, ...(libraries && { LD_LIBRARY_PATH: libraries }) }, start);
}

/** Files that take long enough to be killed in. */
function createLargeFiles(count: number): Record<string, string> {
  const content = Array.from({ length: 6_000 }, (_, line) =>
    createHash("md5").update(`${line}`).digest("hex"),
  );
  const names = Array.from({ length: count }, (_, number) => `${number % 3}/${number}.md`);
  return Object.fromEntries(names.map((name) => [name, `${name}\n${content.join("\n")}`]));
}

/** Waits until nothing is left of a demo: of its group of processes, and of the server and folder apart from it. */
async function expectGone(demo: Demo<DurableSummary>): Promise<void> {
  const { stderr } = await demo.ended;
  const socket = stderr.match(/redis-cli -s (\S+)\)/)?.[1] ?? "";
  expect(socket).not.toBe("");
  await vi.waitFor(() => expect(demo.isAlive).toBe(false), { timeout: 10_000 });
  expect(existsSync(dirname(socket))).toBe(false);
  expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(socket);
}

describe("the demo with --durable", () => {
  test("does every file though one of two processes is killed, and leaves nothing behind", async () => {
    const files = createLargeFiles(60);
    const demo = await startDemo(
      [createFolder(files), "--rate", "60", "--concurrency", "2", "--json"],
      BY_TSX,
    );
    const { code, summary } = await demo.summary();

    expect(code).toBe(0);
    expect(summary).toMatchObject({ files: 60, completed: 59, failed: 0, cancelled: 1, left: 0, retried: 2 });
    const { killed, workers } = summary;
    expect(workers.map(({ end }) => end).sort()).toEqual(["killed", "stopped", "stopped"]);
    expect(workers.find(({ end }) => end === "killed")).toMatchObject({
      pid: killed?.pid,
      name: killed?.name,
    });
    expect(killed?.replacement).toBe("worker 3");
    // What it had done, and could not say any more, is not done again.
    expect(summary.redelivered).toBeLessThanOrEqual(killed?.held ?? 0);
    const cancelled = summary.mishaps?.cancelled ?? "";
    const sizes = Object.entries(files).filter(([name]) => !cancelled.endsWith(`/${name}`));
    expect(summary.bytes).toBe(sizes.reduce((sum, [, content]) => sum + content.length, 0));
    expect(summary.complaints).toEqual([]);
    await expectGone(demo);
  }, 60_000);

  test("stops gracefully at Ctrl-C, with 130, and leaves nothing behind", async () => {
    const words = ["--rate", "2", "--no-mishaps", "--inline", "--json"]; // half would take it long
    const demo = await startDemo([createFolder(createLargeFiles(80)), ...words]);
    await demo.says(UNDER_WAY);
    demo.signalAll("SIGINT");
    const { code, summary } = await demo.summary();

    expect(code).toBe(130);
    expect(summary).toMatchObject({ interruptedBy: "SIGINT", failed: 0, killed: null, redelivered: 0 });
    expect(summary.completed).toBeGreaterThan(0);
    expect(summary.left).toBeGreaterThan(0);
    const { cancelled, completed, failed, left } = summary;
    expect(completed + failed + cancelled + left).toBe(summary.files);
    expect(summary.workers.map(({ end }) => end)).toEqual(["stopped", "stopped"]);
    expect(summary.workers.reduce((sum, worker) => sum + worker.completed, 0)).toBe(completed);
    await expectGone(demo);
  }, 60_000);

  test("leaves nothing behind when it is killed itself", async () => {
    const demo = await startDemo([createFolder(createLargeFiles(80)), "--rate", "2", "--json"]);
    await demo.says(UNDER_WAY);
    demo.signal("SIGKILL");
    await expectGone(demo);
  }, 60_000);

  test("uses the Redis that it is told, and removes its keys from it", async () => {
    await using server = await RedisServer.start();
    const client = new Redis(server.url, { replyMapping: "legacy" as const });
    await client.set("of somebody else", "1");
    const demo = await startDemo([createFolder(createLargeFiles(9)), "--redis", server.url]);
    const { code, stdout, stderr } = await demo.ended;

    expect(code).toBe(0);
    expect(stderr).toMatch(/^tasks are in the Redis that you named; 2 processes do them$/m);
    expect(stdout).toMatch(/^text +8 +0 +1$/m);
    expect(stdout).toMatch(/^9 files in .* files\/s: every one has ended$/m);
    expect(stdout).toMatch(/^worker \d was killed after .*; worker 3 took its place$/m);
    expect(await client.keys("*")).toEqual(["of somebody else"]);
    client.disconnect();
  }, 60_000);
});

test("the demo with --durable ends though its Redis hangs, and says which keys are left there", async () => {
  await using server = await RedisServer.start();
  const words = ["--rate", "2", "--deadline", "2", "--no-mishaps", "--redis", server.url];
  const demo = await startDemo([createFolder(createLargeFiles(40)), ...words]);
  await demo.says(UNDER_WAY);
  server.pause();
  demo.signalAll("SIGINT");
  const { code, stderr } = await demo.ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/^The keys \{millrace-demo-.* are left in Redis: /m);
}, 60_000);

describe.concurrent("the demo with --durable, where it cannot be", () => {
  test.each([
    ["without a redis-server, says how to get one", [], /^error: there is no redis-server on the path/],
    ["with a Redis that is not there", ["--redis", "redis://:secret@127.0.0.1:1"], /cannot be used: /],
    ["with what is no URL", ["--redis", "http://secret"], /^error: --redis: Expected a URL/],
  ])("%s, ends with 2", async (_, words, message) => {
    const demo = new Demo(["--durable", ...words], { PATH: "/nowhere" });
    const { code, stdout, stderr } = await demo.ended;
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("secret");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("and --redis without it, ends with 2", async () => {
    const { code, stderr } = await new Demo(["--redis", "redis://127.0.0.1:1"]).ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/--redis goes with --durable/);
  });

  test("but what the library refuses is told by the worker that it refuses", async () => {
    const demo = await startDemo([createFolder({ "a.md": "a" }), "--concurrency", "9000000"]);
    const { code, stderr } = await demo.ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(/Expected `threads.max`/);
    await vi.waitFor(() => expect(demo.isAlive).toBe(false), { timeout: 10_000 });
  });
});
