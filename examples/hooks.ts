// What happens to tasks? Hooks are told, after the fact; nothing that they do changes an outcome.
import { fixed, logging, TaskManager } from "millrace";

const tasks = new TaskManager({
  concurrency: 1,
  hooks: {
    onRetried: (task, { delayMs, error }) =>
      console.log(`${task.name}: ${error.message}, again in ${delayMs} ms`),
    onProgress: (task, value) => console.log(`${task.name}: ${value}`),
    onFinished: (task) => {
      console.log(`${task.name}: ${task.state} at attempt ${task.attempt}`);
      if (task.name === "invoice") throw new Error("a careless hook");
    },
  },
  onObserverError: (error, { source, name }) => console.log(`${source} ${name}: ${String(error)}`),
  // Middleware wraps attempts. This one ships with the package; any logger with four methods fits.
  middleware: [
    logging({
      debug: () => {},
      info: ({ name }, text) => console.log(`log: ${name}: ${text}`),
      warn: ({ name }, text) => console.log(`log: ${name}: ${text}`),
      error: ({ name }, text) => console.log(`log: ${name}: ${text}`),
    }),
  ],
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
const watching = tasks.observe({ onQueued: (task) => console.log(`${task.name}: queued`) });
await tasks.execute(() => "done", { name: "receipt" });
watching[Symbol.dispose]();
await tasks.execute(() => "done", { name: "reminder" });

await tasks.stopGraceful();
console.log(tasks.stats().observerErrors, "observer error");

// Prints:
// invoice: attempt 1
// log: invoice: attempt failed
// invoice: the printer is out of paper, again in 10 ms
// invoice: attempt 2
// log: invoice: attempt completed
// invoice: completed at attempt 2
// hook onFinished: Error: a careless hook
// receipt: queued
// log: receipt: attempt completed
// receipt: completed at attempt 1
// log: reminder: attempt completed
// reminder: completed at attempt 1
// 1 observer error
