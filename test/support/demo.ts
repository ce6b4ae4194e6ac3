import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Summary } from "../../examples/demo/summary.ts";
import { compiledExample } from "./compiled-examples.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folders: string[] = [];
const children = new Set<ChildProcess>();

/** Ends what is left of demos, and removes their folders. */
export function cleanUp(): void {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

export interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = "examples/demo/main.ts";

/** How `npm run demo` starts it. */
export const BY_TSX: readonly string[] = ["--import", "tsx", PROGRAM];

/** The demo, on what `npm test` has built. `S` is what it says at its end. */
export class Demo<S = Summary> {
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #stdout = "";
  #stderr = "";
  #seen = 0;
  #onText: () => void = () => {};

  /** @param start what Node is given before the words; by default a demo that was compiled before. */
  constructor(
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
    start: readonly string[] = [compiledExample(PROGRAM)],
  ) {
    const args = [...start, ...words];
    // A process group of its own, so that it can be seen whether anything of it is left.
    const child = spawn(process.execPath, args, {
      ...{ cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true },
      env: { ...process.env, ...env },
    });
    this.#child = child;
    children.add(child);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#onText();
    });
    this.ended = new Promise((resolve) => {
      child.on("close", (code) => {
        children.delete(child);
        this.#onText();
        resolve({ code, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Signals it and the processes that it has started, as a terminal does. */
  signalAll(name: NodeJS.Signals): void {
    process.kill(-(this.#child.pid ?? Number.NaN), name);
  }

  /** Whether a process that it has started, or it itself, is there. */
  get isAlive(): boolean {
    try {
      return process.kill(-(this.#child.pid ?? Number.NaN), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
      throw error;
    }
  }

  /** Waits until stderr holds the pattern behind what it held at the last call; fails when the demo ends first. */
  async says(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const seen = this.#seen;
      this.#onText = () => {
        if (pattern.test(this.#stderr.slice(seen))) resolve();
        else if (!children.has(this.#child)) reject(new Error(`never said ${pattern}:\n${this.#stderr}`));
      };
      this.#onText();
    });
    this.#seen = this.#stderr.length;
  }

  async summary(): Promise<{ readonly code: number | null; readonly summary: S }> {
    const { code, stdout, stderr } = await this.ended;
    expect(stdout, stderr).toMatch(/^\{.*\}\n$/);
    return { code, summary: JSON.parse(stdout) as S };
  }
}

/** Some files have ended. */
export const UNDER_WAY = / [1-9]\d* of \d+ files/;

export function createFolder(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "millrace-demo-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** Many small files, each a little larger than the one before. */
export function createFiles(count: number): Record<string, string> {
  const names = Array.from({ length: count }, (_, number) => `${number % 7}/${number}.md`);
  return Object.fromEntries(names.map((name, number) => [name, `${name} `.repeat(number)]));
}
