/**
 * A worker process of `npm run demo -- --durable`: it runs what the demo enqueues, until it is told to stop,
 * or the demo is gone. Nothing here is about the demo but the messages; the rest is what any worker has.
 */
import { exponential, OptionError, TaskManager, type TaskSnapshot } from "millrace";
import { redisBackend } from "millrace/redis";
import { type DemoHandlers, inlineHandlers, threadHandlers } from "../handlers.ts";
import { QUEUES } from "../kinds.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./messages.ts";

/** Short, so that what a killed process held comes back soon. */
const LEASE_MS = 3_000;
/** Less than a third of it. */
const COMMAND_TIMEOUT_MS = 900;

let tasks: TaskManager<DemoHandlers> | undefined;

process.on("message", (message: ToWorker) => {
  if (message.kind === "begin") begin(message.settings);
  else void stop(message.deadlineMs);
});
process.on("disconnect", () => void stop(0)); // the demo is gone
process.on("SIGINT", () => {}); // a terminal tells all of its processes; the demo says what to do

function begin({ address, rate, concurrency, inline }: WorkerSettings): void {
  const over = (how: "completed" | "retried" | "other") => (task: TaskSnapshot) =>
    tell({ kind: "over", id: task.id, how });
  try {
    tasks = new TaskManager({
      handlers: inline ? inlineHandlers : threadHandlers,
      backend: redisBackend({ ...address, commandTimeoutMs: COMMAND_TIMEOUT_MS }),
      leaseMs: LEASE_MS,
      tasksPerSecond: rate,
      ...(inline ? { concurrency } : { threads: { max: concurrency } }),
      queues: QUEUES, // all of them are consumed
      defaultQueue: "other",
      backoff: exponential({ delayMs: 100 }),
      hooks: {
        onStarted: ({ id }) => tell({ kind: "begun", id }),
        onFinished: (task) => over(task.state === "completed" ? "completed" : "other")(task),
        onRetried: over("retried"),
        onInterrupted: over("other"),
        onLeaseLost: over("other"),
        onAckUnknown: over("other"),
      },
    });
    tell({ kind: "ready" });
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    tell({ kind: "refused", message: error.message });
    process.disconnect();
  }
}

async function stop(deadlineMs: number): Promise<void> {
  await tasks?.stopGraceful({ deadlineMs });
  if (process.connected) process.disconnect();
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message, () => {}); // where the demo is gone, nobody wants to know
}
