import { describe, expect, it } from "vitest";
import type { StopReport } from "../../src/index.js";
import {
  type ChildEnd,
  fixtureCommand,
  type RunningChild,
  runFixture,
  startChild,
} from "../support/child-process.js";
import { crowding } from "../support/crowding.js";

/** What a program wrote, line by line, when it ended by itself without an error. */
async function linesOf(program: string): Promise<readonly string[]> {
  const { code, signal, stdout, stderr } = await runFixture("lifetime.ts", program);
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
  const lines = stdout.split("\n").slice(0, -1);
  expect(lines).toContain("end of program");
  return lines.filter((line) => line !== "end of program");
}

describe.concurrent("X8: how long a manager keeps the process alive", { timeout: 60_000 }, () => {
  it.each([
    ["idle", []],
    ["idle after work", ["later"]],
    ["not stopped", ["ran"]],
    ["stopped with a handler that goes on for ever", ["abandoned 1"]],
  ])("X8: a process whose manager is %s ends by itself", async (program, expected) => {
    expect(await linesOf(program)).toEqual(expected);
  });

  it.each([
    ["scheduled", ["ran"]],
    ["in backoff", ["ran"]],
    ["waiting for a permit", ["first", "ran"]],
    ["paused", ["still alive", "stopped"]],
    ["not started", ["ran"]],
  ])("X8: a process whose only task is %s stays alive until it is settled", async (program, expected) => {
    expect(await linesOf(program)).toEqual(expected);
  });

  it("X8: no await at top level ends the process with code 13", async () => {
    expect(await linesOf("awaits at top level")).toEqual([
      ...["later", "delayed", "later"],
      expect.stringMatching(/^ResultTimeoutError: /),
      expect.stringMatching(/^TaskTimeoutError: /),
      expect.stringMatching(/^DeadlineError: /),
      ...["later", "paused", "drained", "kept by a task", "stopped, abandoned 1"],
    ]);
  });

  it("tasks whose results nobody asks for cause no unhandled rejection, however they end", async () => {
    expect(await linesOf("nobody asks for results")).toEqual(["failed 6, cancelled 3"]);
  });

  it("an abort listener that throws is the process's uncaught exception and changes no outcome", async () => {
    const lines = await linesOf("an abort listener throws");
    expect(lines.filter((line) => line.startsWith("uncaught"))).toEqual([
      ...["uncaught: a listener of the user's", "uncaught: another one"],
    ]);
    expect(lines.filter((line) => !line.startsWith("uncaught"))).toEqual([
      "cancel true",
      expect.stringMatching(/^TaskCancelledError: /),
      expect.stringMatching(/^TaskTimeoutError: /),
      ...["goes on", "running 0"],
    ]);
  });
});

type ServiceOptions = Readonly<Record<string, unknown>>;

async function startService(options: ServiceOptions): Promise<RunningChild> {
  const service = startChild(fixtureCommand("signals.ts", JSON.stringify(options)));
  await service.hasWritten("ready");
  return service;
}

function reportOf({ stdout }: ChildEnd): StopReport {
  const line = stdout.split("\n").find((each) => each.startsWith("report ")) ?? "";
  return JSON.parse(line.slice("report ".length)) as StopReport;
}

describe.concurrent("X3: signals", { timeout: 60_000 }, () => {
  it("X2: SIGTERM with more work than time: finishes what it can, ends the rest, and goes in time", async () => {
    // 60 tasks of 50 ms, two at a time, are 1.5 s of work; 0.6 s are given.
    const service = await startService({ work: Array.from({ length: 60 }, () => 50), deadlineMs: 600 });
    service.process.kill("SIGTERM");
    const end = await service.ended;
    expect(end).toMatchObject({ code: 143, signal: null, stderr: "" });
    const { alive, durationMs, ...parts } = reportOf(end);
    expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(alive);
    expect(parts.completed).toBeGreaterThan(0);
    expect(parts.neverStarted).toBeGreaterThan(0);
    expect(parts.abandoned).toBe(0); // all end by themselves within killAfterMs
    expect(durationMs).toBeLessThan(600 + 250 * crowding());
    expect(end.stdout).toContain("signal SIGTERM\n");
  });

  it.each([
    ["SIGTERM", "SIGINT", 143],
    ["SIGINT", "SIGTERM", 130],
  ] as const)("X3: %s, then %s: the second forces, the first gives the exit code", async (one, two, code) => {
    const service = await startService({ stubborn: true });
    service.process.kill(one);
    await service.hasWritten(`signal ${one}`);
    service.process.kill(two);
    await service.hasWritten("aborted");
    const end = await service.ended;
    expect(end).toMatchObject({ code, signal: null, stderr: "" });
    const report = reportOf(end);
    expect(report).toMatchObject({ alive: 1, abandoned: 1 });
    expect(report.durationMs).toBeLessThan(10_000); // 60 s were given
    expect(end.stdout.match(/signal/g)).toHaveLength(1);
    expect(end.stdout).toContain("listeners 0\n");
  });

  it("X3: SIGTERM twice: an echo is not taken for the second, a later one is", async () => {
    const service = await startService({ stubborn: true });
    service.process.kill("SIGTERM");
    await service.hasWritten("signal SIGTERM");
    // What comes within 250 ms is an echo; one of these comes later, however fast or slow the machine is.
    const again = setInterval(() => service.process.kill("SIGTERM"), 60);
    await service.hasWritten("aborted");
    clearInterval(again);
    const end = await service.ended;
    expect(end).toMatchObject({ code: 143, signal: null });
    expect(reportOf(end).durationMs).toBeGreaterThanOrEqual(250);
  });

  it("X3: a signal before the manager was started ends what waits, and the process", async () => {
    const service = await startService({ work: [1, 1], autoStart: false });
    service.process.kill("SIGINT");
    const end = await service.ended;
    expect(end).toMatchObject({ code: 130, signal: null, stderr: "" });
    expect(reportOf(end)).toMatchObject({ alive: 2, neverStarted: 2 });
  });

  it("X3: after the stop the handlers are gone, and a signal has its usual effect", async () => {
    const service = await startService({ lingers: true });
    service.process.kill("SIGTERM");
    await service.hasWritten("listeners 0");
    service.process.kill("SIGTERM");
    expect(await service.ended).toMatchObject({ code: null, signal: "SIGTERM" });
  });
});

/** What a shell is given to run the service. */
function shellCommand(...words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(" ");
}

describe.concurrent("X10: a shell around the service, as in a container or npm start", {
  timeout: 60_000,
}, () => {
  const service = fixtureCommand("signals.ts", "{}");

  it("X10: sh -c with exec puts the service in the shell's place: the signal reaches it", async () => {
    const shell = startChild(["sh", "-c", `exec ${shellCommand(...service)}`]);
    await shell.hasWritten("ready");
    shell.process.kill("SIGTERM");
    expect(await shell.ended).toMatchObject({ code: 143, signal: null });
  });

  it("X10: sh -c without exec keeps the signal to itself; sent to the group, it reaches the service", async () => {
    const script = `${shellCommand(...service)}; echo "ended with $?"`;
    const shell = startChild(["sh", "-c", `trap 'echo "the shell heard it"' TERM; ${script}`], {
      ownGroup: true,
    });
    await shell.hasWritten("ready");
    shell.process.kill("SIGTERM"); // the shell alone: it waits for its child, which has heard nothing
    const { pid = 0 } = shell.process;
    // A terminal, or an init process told to, signals the whole group.
    process.kill(-pid, "SIGINT");
    const end = await shell.ended;
    expect(end.stdout).toContain("signal SIGINT\n");
    expect(end.stdout).not.toContain("signal SIGTERM");
    expect(end.stdout).toContain("report ");
  });
});
