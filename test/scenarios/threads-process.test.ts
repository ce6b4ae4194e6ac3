import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fixture, pathOf } from "../support/threads.js";

const run = promisify(execFile);

test.each([0, 2])(
  "a process waits for its task in a thread, and not for idle threads, of which it keeps %d",
  async (min) => {
    const program = pathOf(fixture("idle-program.mjs"));
    const { stdout } = await run(process.execPath, [program, String(min)], { timeout: 15_000 });
    expect(JSON.parse(stdout)).toEqual({ state: "completed", alive: Math.max(1, min) });
  },
);
