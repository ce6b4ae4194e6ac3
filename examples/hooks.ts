// What happens to tasks? Hooks are told, after the fact; nothing that they do changes an outcome.
import { fixed, logging, TaskManager } from "millrace";

const told: string[] = [];
const logged: string[] = [];
const failed: string[] = [];

const log = ({ name }: { readonly name?: unknown }, text: string) => logged.push(`${name}: ${text}`);
const tasks = new TaskManager({
  concurrency: 1,
  hooks: {
    onRetried: (task, { delayMs, error }) =>
      told.push(`${task.name}: ${error.message}, again in ${delayMs} ms`),
    onProgress: (task, value) => told.push(`${task.name}: ${value}`),
    onFinished: (task) => {
      told.push(`${task.name}: ${task.state} at attempt ${task.attempt}`);
      if (task.name === "invoice") throw new Error("a careless hook");
    },
  },
  onObserverError: (error, { source, name }) => failed.push(`${source} ${name}: ${String(error)}`),
  // Middleware wraps attempts. This one ships with the package; any logger with four methods fits.
  middleware: [logging({ debug: () => {}, info: log, warn: log, error: log })],
});

tasks.enqueue(
  ({ attempt, progress }) => {
    progress(`attempt ${attempt}`);
    if (attempt === 1) throw new Error("the printer is out of paper");
  },
  { name: "invoice", maxAttempts: 3, backoff: fixed({ delayMs: 10 }) },
);
await tasks.drain();

// More hooks at run time, until they are disposed.
const watching = tasks.observe({ onQueued: (task) => told.push(`${task.name}: queued`) });
await tasks.execute(() => "done", { name: "receipt" });
await tasks.stopGraceful(); // hooks are called in their order, but later: a stop lets them catch up
watching[Symbol.dispose]();

console.log(["Hooks:", ...told, "Log:", ...logged, "Errors of observers:", ...failed].join("\n"));
console.log(tasks.stats().observerErrors, "observer error");

// Prints:
// Hooks:
// invoice: attempt 1
// invoice: the printer is out of paper, again in 10 ms
// invoice: attempt 2
// invoice: completed at attempt 2
// receipt: queued
// receipt: completed at attempt 1
// Log:
// invoice: attempt failed
// invoice: attempt completed
// receipt: attempt completed
// Errors of observers:
// hook onFinished: Error: a careless hook
// 1 observer error
