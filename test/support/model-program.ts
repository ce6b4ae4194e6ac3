import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundled } from "./bundle.js";

const run = promisify(execFile);

/** Runs a program of the fault tests in a process of its own, from its source, and reads what it prints. */
export async function runProgram<T>(
  path: string,
  nodeOptions: readonly string[],
  ...input: string[]
): Promise<T> {
  const file = fileURLToPath(new URL(`../faults/programs/${path}`, import.meta.url));
  const { stdout } = await run(process.execPath, [...nodeOptions, bundled(file), ...input]);
  return JSON.parse(stdout) as T;
}
