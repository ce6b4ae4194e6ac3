import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Whoever reads from it waits in native code, which nothing can end, until the test writes a byte. */
export interface NamedPipe {
  readonly path: string;
  /** Ends the wait of a reader, whether it has begun or not. */
  release(): void;
}

/** A named pipe, released and removed when the test is over. */
export function makeNamedPipe(): NamedPipe {
  const folder = mkdtempSync(join(tmpdir(), "millrace-pipe-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const pipe = openSync(path, "r+"); // both ends, so that neither side waits for the other to open it
  let isReleased = false;
  const release = () => {
    if (!isReleased) writeSync(pipe, "x");
    isReleased = true;
  };
  onTestFinished(() => {
    release();
    closeSync(pipe);
    rmSync(folder, { recursive: true });
  });
  return { path, release };
}
