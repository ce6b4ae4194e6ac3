/**
 * A program of its own: tasks that fail in every manner and a reader that sees them, but nobody who asks for
 * their results. Prints what was read, as JSON; a rejection that nobody handles would end the process.
 */
import { TaskManager } from "../../../src/index.js";

let unhandled = 0;
process.on("unhandledRejectionMonitor" as "unhandledRejection", () => unhandled++);

const tasks = new TaskManager();
const read: string[] = [];
const careless = tasks.subscribe({
  filter: () => {
    throw new Error("a filter that throws");
  },
});
const reading = (async () => {
  for await (const { state, error } of tasks.subscribe()) {
    const cause = error?.cause === undefined ? "" : String(error.cause);
    read.push(`${state} ${error?.cause === undefined ? (error?.message ?? "") : cause}`.trim());
  }
})();
tasks.enqueue(() => {
  throw new Error("broken");
});
tasks.enqueue(() => Promise.reject(null));
await tasks.drain();
tasks.enqueue(async () => {
  await new Promise((resolve) => setTimeout(resolve, 1));
  throw new Error("later");
});
await tasks.drain();
tasks.enqueue(() => 1);
await tasks.drain();
await tasks.stopGraceful();
await reading;
careless.close();
await new Promise((resolve) => setImmediate(resolve));
console.log(JSON.stringify({ read, observerErrors: tasks.stats().observerErrors, unhandled }));
