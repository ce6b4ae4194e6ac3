// How does a task end before its time? By its handle, its id, a signal, all at once, or its own deadline.
import { setTimeout as sleep } from "node:timers/promises";
import { TaskCancelledError, TaskManager } from "millrace";

const tasks = new TaskManager({ concurrency: 2 });

/** What became of a task whose result is not wanted any more. */
async function tell(title: string, result: Promise<unknown>): Promise<void> {
  const outcome = await result.catch((error: Error) => {
    return error instanceof TaskCancelledError ? `cancelled: ${error.cause}` : error.name;
  });
  console.log(`${title} | ${outcome}`);
}

// A task that runs is asked to end: its signal aborts, and whatever heeds that signal ends.
const download = tasks.enqueue(({ signal }) => sleep(60_000, "downloaded", { signal }));
await sleep(5);
console.log(download.state, download.cancel("the user left"), download.cancel("once more"));
await tell("by its handle", download.result());

// A task that waits is gone at once.
const report = tasks.enqueue(() => "reported", { id: "report:7", delayMs: 60_000 });
console.log(report.state, await tasks.cancel("report:7", "out of date"), await tasks.cancel("report:8"));
await tell("by its id", report.result());

// An AbortSignal may belong to a request, and cancel all that was enqueued for it.
const request = new AbortController();
const thumbnail = tasks.enqueue(() => "a thumbnail", { delayMs: 60_000, signal: request.signal });
request.abort("the connection was closed");
await tell("by a signal", thumbnail.result());

// A handler that does not listen is given up after `killAfterMs`, so that others can have its slot.
const deaf = tasks.enqueue(() => new Promise(() => {}), { killAfterMs: 10 });
await sleep(5);
deaf.cancel("too slow");
await tell("though it does not listen", deaf.result());
console.log(`${tasks.health().slots.abandoned} abandoned`);

// The whole life of a task, its waiting included, can be bounded from the start.
await tell("by its deadline", tasks.enqueue(() => "too late", { delayMs: 60_000, ttlMs: 10 }).result());

const rest = ["a", "b", "c"].map((id) => tasks.enqueue(() => id, { id, delayMs: 60_000 }));
console.log(await tasks.cancelAll("the tests are over"), rest.map(({ state }) => state).join(" "));
await tasks.stopNow();

// Prints:
// running true false
// by its handle | cancelled: the user left
// scheduled true false
// by its id | cancelled: out of date
// by a signal | cancelled: the connection was closed
// though it does not listen | cancelled: too slow
// 1 abandoned
// by its deadline | DeadlineError
// 3 cancelled cancelled cancelled
