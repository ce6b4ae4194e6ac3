import { fileURLToPath } from "node:url";
import { Command, CommanderError, InvalidArgumentError } from "commander";

export interface DemoCommand {
  readonly folder: string;
  /** Files begun per second. */
  readonly rate: number;
  /** Files worked on at once; undefined for as many as there are cores. */
  readonly concurrency: number | undefined;
  /** Whether the work is done on the event loop, in place of worker threads. */
  readonly inline: boolean;
  /** Whether the tasks are kept in Redis, and done by processes of which one is killed. */
  readonly durable: boolean;
  /** The Redis for that; undefined to start one. */
  readonly redis: string | undefined;
  /** Files that wait, at most; the walk waits when there are as many. */
  readonly backlog: number;
  /** How long a graceful stop may take, in seconds. */
  readonly deadline: number;
  /** Whether two files are made to fail once, and one is cancelled. */
  readonly mishaps: boolean;
  readonly json: boolean;
}

/** What was typed cannot be run. The message is for whoever typed it; empty when it has been shown. */
export class UsageError extends Error {}

const NODE_MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));

/**
 * Reads what was typed behind the command; undefined when that was a call for help, which has been given.
 * @throws {UsageError}
 */
export function readCommand(words: readonly string[]): DemoCommand | undefined {
  const program = new Command("npm run demo --")
    .description(
      "Hashes and compresses every file in a folder, in worker threads: small files first, three queues.",
    )
    .argument("[folder]", "where to look for files (default: node_modules of this project)")
    .option("-r, --rate <number>", "files begun per second", toPositive, 2_500)
    .option("-c, --concurrency <count>", "files worked on at once (default: one for each core)", toCount)
    .option("--inline", "do the work on the event loop, without threads", false)
    .option("--durable", "keep the tasks in Redis, and kill one of two processes that do them", false)
    .option("--redis <url>", "with --durable: this Redis (default: starts one)", toRedisUrl)
    .option("-b, --backlog <count>", "files that wait, at most; the walk waits for room", toCount, 1_000)
    .option("-d, --deadline <seconds>", "how long a graceful stop may take", toPositive, 5)
    .option("--no-mishaps", "make no file fail once, and cancel none")
    .option("--json", "one line of JSON on stdout in place of the table", false)
    .addHelpText("after", "\nCtrl-C stops gracefully, a second one at once. Progress goes to stderr.")
    .showHelpAfterError("(--help says what there is)")
    .exitOverride();
  try {
    program.parse(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw new UsageError("", { cause: error });
  }
  const [folder = NODE_MODULES] = program.args;
  const { concurrency, redis, ...options } = program.opts<Omit<DemoCommand, "folder">>();
  if (redis !== undefined && !options.durable) throw new UsageError("--redis goes with --durable");
  return { folder, concurrency, redis, ...options };
}

function toPositive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError("Expected a number greater than 0.");
  return value;
}

/** It may hold a password: nobody is told what it was. */
function toRedisUrl(text: string): string {
  if (!/^rediss?:\/\/./.test(text) || !URL.canParse(text))
    throw new UsageError("--redis: Expected a URL that begins with redis:// or rediss://");
  return text;
}

function toCount(text: string): number {
  const value = Number(text);
  if (!(Number.isSafeInteger(value) && value > 0)) throw new InvalidArgumentError("Expected 1, 2, 3 ...");
  return value;
}
