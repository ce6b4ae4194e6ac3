import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { BenchCase } from "./bench-case.js";

export interface Command {
  readonly cases: readonly BenchCase[];
  readonly json: boolean;
  readonly check: boolean;
  readonly help: boolean;
  readonly profileFolder: string | undefined;
}

/** What the user typed cannot be run; the message says why and what can. */
export class UsageError extends Error {}

export function readCommand(words: readonly string[], all: readonly BenchCase[]): Command {
  const { values, positionals } = parse(words, all);
  const known = new Map(all.map((one) => [one.name, one]));
  const unknown = positionals.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new UsageError(
      `No case is called ${unknown.map((name) => `"${name}"`).join(", ")}.\n\n${usage(all)}`,
    );
  }
  const named = all.filter((one) => positionals.includes(one.name));
  return {
    cases: named.length > 0 ? named : all,
    json: values.json,
    check: values.check,
    help: values.help,
    // npm runs the bench in its own folder; INIT_CWD is the one the user is in.
    profileFolder:
      values.profile === undefined ? undefined : resolve(process.env["INIT_CWD"] ?? "", values.profile),
  };
}

export function usage(all: readonly BenchCase[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  return [
    "npm run bench -- [CASE ...] [--json] [--check] [--profile FOLDER]",
    "",
    "Without a case all of them run.",
    ...all.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}`),
    "",
    "  --json            one line of JSON per case on stdout, and nothing else",
    "  --check           exit 1 when a floor is missed",
    "  --profile FOLDER  write a CPU profile of every contestant; its figures are then slower",
  ].join("\n");
}

function parse(words: readonly string[], all: readonly BenchCase[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        check: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        profile: { type: "string" },
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${reason}\n\n${usage(all)}`);
  }
}
