import { createHash } from "node:crypto";
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { StopReport } from "millrace";
import { afterAll, describe, expect, test, vi } from "vitest";
import { BY_TSX, cleanUp, createFiles, createFolder, Demo, UNDER_WAY } from "../support/demo.js";

afterAll(cleanUp);

function sumOfParts({ alive: _alive, durationMs: _durationMs, ...parts }: StopReport): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0);
}

describe.concurrent("the demo", () => {
  test("counts every file once, and what it says of them is true", async ({ expect }) => {
    const files: Record<string, string> = {
      ...createFiles(40),
      "deep/er/code.ts": "export const answer = 42;\n",
      "deep/er/other.bin": "\u0000\u0001",
      "deep/LICENSE": "",
      "large.txt": Array.from({ length: 60_000 }, (_, line) => `line ${line * 7919}\n`).join(""),
    };
    const folder = createFolder(files);
    symlinkSync(join(folder, "large.txt"), join(folder, "link.txt"));
    symlinkSync(folder, join(folder, "deep/circle"));

    const { code, summary } = await new Demo([folder, "--json"], {}, BY_TSX).summary();

    expect(code).toBe(0);
    const { cancelled = null } = summary.mishaps ?? {};
    const done = Object.entries(files).filter(([name]) => join(folder, name) !== cancelled);
    const sum = (size: (content: string) => number) => done.reduce((all, [, each]) => all + size(each), 0);
    expect(summary).toMatchObject({ files: 44, completed: 43, failed: 0, cancelled: 1, retried: 2 });
    expect(summary.mishaps?.failedOnce).toHaveLength(2);
    expect(summary.bytes).toBe(sum((content) => content.length));
    expect(summary.gzipBytes).toBe(sum((content) => gzipSync(content).length));
    const { code: ofCode, other, text } = summary.queues;
    const ended = [ofCode, other, text].map((each) => each.completed + each.failed + each.cancelled);
    expect(ended).toEqual([1, 1, 42]);
    expect(summary).toMatchObject({ interruptedBy: null, stop: { alive: 0 }, complaints: [] });
  });

  test("does its work in threads, of which none is left", async ({ expect }) => {
    const words = ["--concurrency", "2", "--json"];
    const { code, summary } = await new Demo([createFolder(createFiles(60)), ...words]).summary();
    expect(code).toBe(0);
    const { threads, cpuMs, coresBusy } = summary.usage;
    expect(threads).toMatchObject({ alive: 0, busy: 0 });
    expect(threads?.started).toBeGreaterThanOrEqual(1);
    expect(threads?.started).toBeLessThanOrEqual(2);
    expect(threads?.utilisation).toBeGreaterThan(0);
    expect(threads?.utilisation).toBeLessThanOrEqual(1);
    expect(coresBusy).toBeCloseTo(cpuMs / summary.elapsedMs, 1);
  });

  test("does the same on the event loop with --inline, without any thread", async ({ expect }) => {
    const folder = createFolder(createFiles(30));
    const [threaded, inline] = await Promise.all([
      new Demo([folder, "--json", "--no-mishaps"]).summary(),
      new Demo([folder, "--json", "--no-mishaps", "--inline"]).summary(),
    ]);
    expect([threaded.code, inline.code]).toEqual([0, 0]);
    expect(inline.summary.usage.threads).toBeNull();
    const { files, completed, bytes, gzipBytes, largest } = threaded.summary;
    expect(inline.summary).toMatchObject({ files, completed, bytes, gzipBytes, largest });
  });

  test("knows the SHA-256 of the largest file, and leaves all alone when told so", async ({ expect }) => {
    const content = "abc".repeat(100_000);
    const folder = createFolder({ "large.js": content, "small.js": "abc" });
    const { code, summary } = await new Demo([folder, "--json", "--no-mishaps"]).summary();
    expect(code).toBe(0);
    expect(summary).toMatchObject({ files: 2, completed: 2, cancelled: 0, retried: 0, mishaps: null });
    expect(summary.largest).toEqual({
      path: join(folder, "large.js"),
      sha256: createHash("sha256").update(content).digest("hex"),
      bytes: 300_000,
      gzipBytes: gzipSync(content).length,
    });
  });

  test("writes plain lines and a plain table where there is no terminal", async ({ expect }) => {
    const { code, stdout, stderr } = await new Demo([createFolder(createFiles(9))]).ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^100% {2}9 of 9 files {2}/m);
    expect(stdout).toMatch(/^text +8 +0 +2 +1 /m);
    expect(stdout).toMatch(/^9 files in .* files\/s/m);
    expect(stderr).toMatch(/^ +\d of \d threads busy now, \d+ % of their time, \d+\.\d cores busy$/m);
    expect(stdout).toMatch(/^\d+ threads: .* of CPU in .*, \d+ % of their time, \d+\.\d cores busy$/m);
    const plain = stdout.replaceAll("\n", "") + stderr.replaceAll("\n", "");
    expect(plain).not.toMatch(/\p{Cc}/u);
  });

  test("has nothing to say against an empty folder", async ({ expect }) => {
    const { code, summary } = await new Demo([createFolder({}), "--json"]).summary();
    expect(code).toBe(0);
    expect(summary).toMatchObject({ files: 0, bytes: 0, largest: null, complaints: [] });
  });

  test("counts a file that vanished before its turn as failed", async ({ expect }) => {
    // By the rate, the largest file has its turn after five seconds; the first line comes after two.
    const folder = createFolder({ ...createFiles(75), "doomed.md": "x".repeat(100_000) });
    const demo = new Demo([folder, "--rate", "15", "--json"]);
    await demo.says(UNDER_WAY);
    rmSync(join(folder, "doomed.md"));
    const { code, summary } = await demo.summary();
    expect(code).toBe(0);
    expect(summary).toMatchObject({ files: 76, completed: 74, failed: 1, cancelled: 1, retried: 2 });
    expect(summary.complaints).toEqual([
      { path: join(folder, "doomed.md"), error: expect.stringContaining("ENOENT") },
    ]);
  });
});

describe.concurrent("the demo, interrupted", () => {
  test("stops gracefully at SIGINT, says how, and ends with 130", async ({ expect }) => {
    const demo = new Demo([createFolder(createFiles(200)), "--rate", "20", "--deadline", "2"]);
    await demo.says(UNDER_WAY);
    demo.signal("SIGINT");
    const { code, stdout, stderr } = await demo.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^SIGINT: finishing what was accepted, for at most 2 s/m);
    const report = /^Stopped by SIGINT in .*: ([\d,]+) tasks alive = (.*)$/m.exec(stdout);
    const parts = (report?.[2] ?? "").split(" + ").map((part) => Number.parseInt(part, 10));
    expect(parts).toHaveLength(6);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(Number(report?.[1]));
    expect(stdout).toMatch(/^text +\d+ +0 +2 +\d+ /m);
  });

  test.each([
    ["threads", [], { alive: 0, busy: 0, started: expect.any(Number), utilisation: expect.any(Number) }],
    ["the event loop", ["--inline"], null],
  ])("leaves no thread and no process behind, with its work in %s", async (_, words, threads) => {
    const demo = new Demo([createFolder(createFiles(200)), "--rate", "40", "--json", ...words]);
    await demo.says(UNDER_WAY);
    expect(demo.isAlive).toBe(true);
    demo.signal("SIGINT");
    const { code, summary } = await demo.summary();
    expect(code).toBe(130);
    expect(summary.completed).toBeGreaterThan(0);
    expect(summary.usage.threads).toEqual(threads);
    await vi.waitFor(() => expect(demo.isAlive).toBe(false), { timeout: 10_000 });
  });

  test("stops at once at the second SIGINT", async ({ expect }) => {
    const demo = new Demo([createFolder(createFiles(200)), "--rate", "10", "--deadline", "60", "--json"]);
    await demo.says(UNDER_WAY);
    demo.signal("SIGINT");
    await demo.says(/^SIGINT: /m);
    await demo.says(UNDER_WAY); // two seconds later: by then it is no echo of the first
    demo.signal("SIGINT");
    const { code, summary } = await demo.summary();
    expect(code).toBe(130);
    expect(summary.interruptedBy).toBe("SIGINT");
    expect(summary.usage.threads).toMatchObject({ alive: 0 });
    expect(summary.stop.neverStarted).toBeGreaterThan(0);
    expect(summary.stop.alive).toBe(sumOfParts(summary.stop));
    expect(summary.completed + summary.failed + summary.cancelled).toBe(summary.files);
  });

  test("stops the walk too, which waits for room", async ({ expect }) => {
    const words = ["--rate", "20", "--backlog", "10", "--deadline", "2", "--json"];
    const demo = new Demo([createFolder(createFiles(200)), ...words]);
    await demo.says(UNDER_WAY);
    demo.signal("SIGTERM");
    const { code, summary } = await demo.summary();
    expect(code).toBe(143);
    expect(summary.interruptedBy).toBe("SIGTERM");
    expect(summary.files).toBeLessThan(150);
    expect(summary.stop.alive).toBe(sumOfParts(summary.stop));
    expect(summary.completed + summary.failed + summary.cancelled).toBe(summary.files);
  });
});

describe.concurrent("the demo, called wrongly, ends with 2", () => {
  const file = fileURLToPath(import.meta.url);
  test.each([
    ["for a folder that is not there", ["no-such-folder"], /no-such-folder cannot be read.*ENOENT/],
    ["for a file", [file], /cannot be read as a folder: ENOTDIR/],
    ["for an unknown option", ["--fast"], /unknown option '--fast'/],
    ["for a value that is none", ["--rate", "fast"], /--rate.*Expected a number greater than 0/],
    ["for threads that the library refuses", ["--concurrency", "9000000"], /Expected `threads.max`/],
    ["for a value that it refuses", ["--inline", "--concurrency", "9000000"], /Expected `concurrency`/],
  ])("%s", async (_, words, message) => {
    const { code, stdout, stderr } = await new Demo(words).ended;
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("    at ");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("but not for a call for help", async ({ expect }) => {
    const { code, stdout } = await new Demo(["--help"]).ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: npm run demo -- /);
  });
});
