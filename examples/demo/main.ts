/**
 * A first real use of Millrace: the SHA-256 and the gzip size of every file in a folder, one task per file, in
 * worker threads.
 *
 *     npm run demo              looks through node_modules of this project
 *     npm run demo -- FOLDER    looks through another folder
 *     npm run demo -- --inline  does the work on the event loop
 *     npm run demo -- --durable keeps the tasks in Redis, has two processes do them, and kills one
 *     npm run demo -- --help    says what else there is
 *
 * Where to look for what:
 *
 * - this file makes the manager, and stops it: at the end, or at Ctrl-C;
 * - `handlers.ts` names the one kind of task there is, says what it takes, and where it runs;
 * - `digest-folder.ts` enqueues, with a priority from the size, and waits for room while the backlog is full;
 * - `digest-file.mjs` is the work itself, which threads import;
 * - `outcomes.ts` subscribes to the results, and keeps only what it counts;
 * - `durable/` is the same with durable tasks: `run-durable.ts` produces, `worker.ts` is what does the work.
 */
import { opendir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";
import {
  exponential,
  OptionError,
  type StopReport,
  StoreRefusedError,
  StoreUnreachableError,
  stopOnSignals,
  TaskManager,
} from "millrace";
import { type DemoCommand, readCommand, UsageError } from "./command-line.ts";
import { digestFolder, type Mishaps } from "./digest-folder.ts";
import { toDurableText } from "./durable/durable-summary.ts";
import { runDurable } from "./durable/run-durable.ts";
import { formatUsageNow, printable } from "./format.ts";
import { type DemoHandlers, inlineHandlers, threadHandlers } from "./handlers.ts";
import { QUEUES } from "./kinds.ts";
import { Outcomes } from "./outcomes.ts";
import { toText } from "./print-summary.ts";
import { showProgress } from "./progress.ts";
import { type Summary, summarize } from "./summary.ts";
import { UsageMeter } from "./usage.ts";
import { countFiles, HEAD_START_MS } from "./walk.ts";

// Whoever reads the output may leave before its end: npm run demo | head.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

try {
  const command = readCommand(process.argv.slice(2));
  if (command !== undefined) await main(command);
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof OptionError;
  const isStore = error instanceof StoreUnreachableError || error instanceof StoreRefusedError;
  if (!isUsage && !isStore) throw error;
  if (error.message !== "") console.error(`error: ${error.message}`);
  process.exitCode = isUsage ? 2 : 1;
}

async function main(command: DemoCommand): Promise<void> {
  await refuseUnreadable(command.folder);
  const [summary, text] = command.durable
    ? await runDurable(command).then((summary) => [summary, toDurableText(summary)] as const)
    : await run(command).then((summary) => [summary, toText(summary)] as const);
  process.stdout.write(command.json ? `${JSON.stringify(summary)}\n` : text);
}

async function run(command: DemoCommand): Promise<Summary> {
  const { folder } = command;
  const tasks = createTasks(command);
  const meter = new UsageMeter(tasks, command.inline);
  const outcomes = new Outcomes();
  // Should this program fall behind with counting, the work waits: no result is missed.
  const following = outcomes.follow(tasks.subscribe({ overflow: "block" }));
  const mishaps: Mishaps | undefined = command.mishaps ? { failedOnce: [], cancelled: null } : undefined;
  const walking = new AbortController();
  const { signal } = walking;
  let counted = 0;
  let interruptedBy: string | undefined;

  const listening = stopOnSignals(tasks, {
    deadlineMs: command.deadline * 1_000,
    onSignal: (name) => {
      interruptedBy = name;
      walking.abort();
      display.say(
        `${name}: finishing what was accepted, for at most ${command.deadline} s; Ctrl-C stops at once`,
      );
    },
  });
  const display = showProgress(() => {
    const { enqueued, completed, failed, cancelled } = tasks.stats().total;
    const ended = completed + failed + cancelled;
    const total = Math.max(counted, enqueued);
    const { bytes } = outcomes;
    const detail = formatUsageNow(meter.ofLastSeconds());
    return { ended, total, bytes, elapsedMs: meter.elapsedMs, detail };
  });
  const counting = countFiles(folder, signal, () => counted++);
  let stop: StopReport;
  try {
    await Promise.race([counting, setTimeout(HEAD_START_MS, undefined, { ref: false })]);
    await digestFolder(tasks, folder, { outcomes, mishaps, signal });
    await tasks.drain();
  } finally {
    walking.abort();
    // After Ctrl-C this joins the stop that is under way: there is one, with one report.
    stop = await tasks.stopGraceful();
    await Promise.all([following, counting]); // the last result is followed by the end of the subscription
    if (interruptedBy === undefined) listening[Symbol.dispose]();
    display.stop();
  }
  return summarize({ folder, interruptedBy, tasks, outcomes, mishaps, meter, stop });
}

function createTasks({ rate, concurrency, backlog, inline }: DemoCommand): TaskManager<DemoHandlers> {
  return new TaskManager({
    handlers: inline ? inlineHandlers : threadHandlers,
    tasksPerSecond: rate,
    ...(inline ? { concurrency: concurrency ?? availableParallelism() } : { threads: { max: concurrency } }),
    capacity: backlog,
    queues: QUEUES,
    defaultQueue: "other",
    backoff: exponential({ delayMs: 100 }),
  });
}

/** @throws {UsageError} when the folder is none, or cannot be read */
async function refuseUnreadable(folder: string): Promise<void> {
  try {
    await (await opendir(folder)).close();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${printable(folder)} cannot be read as a folder: ${printable(reason)}`);
  }
}
