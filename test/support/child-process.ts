import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bundled } from "./bundle.js";

/** How a child ended, and all that it wrote. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningChild {
  readonly process: ChildProcess;
  readonly ended: Promise<ChildEnd>;
  /** Resolves when it has written a line with this text; rejects when it ends without. */
  hasWritten(text: string): Promise<void>;
}

const FIXTURES = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** What starts a fixture in a Node of its own, from the sources. */
export function fixtureCommand(fixture: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, bundled(`${FIXTURES}${fixture}`), ...args];
}

interface ChildOptions {
  /** Signals can be sent to it and all it starts. */
  readonly ownGroup?: boolean;
  /** Variables that it is started with, beside those of the test. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts a command whose output is watched. */
export function startChild(
  [command = "", ...args]: readonly string[],
  { environment, ownGroup = false }: ChildOptions = {},
): RunningChild {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: ownGroup,
    env: { ...process.env, NODE_NO_WARNINGS: "1", ...environment }, // those of tsx, on later versions of Node
  });
  let [stdout, stderr] = ["", ""];
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const look of watchers) look();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    process: child,
    ended,
    hasWritten: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!stdout.split("\n").slice(0, -1).includes(text)) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
        void ended.then((end) => reject(new Error(`ended without ${text}: ${JSON.stringify(end)}`)));
      }),
  };
}

/** Runs a fixture that is plain JavaScript, over what was built, to its end. */
export function runProgram(program: string, ...args: readonly string[]): Promise<ChildEnd> {
  return startChild([process.execPath, `${FIXTURES}${program}`, ...args]).ended;
}

/** Runs a fixture to its end. */
export function runFixture(fixture: string, ...args: readonly string[]): Promise<ChildEnd> {
  return startChild(fixtureCommand(fixture, ...args)).ended;
}
