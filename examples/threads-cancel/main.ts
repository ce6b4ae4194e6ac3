// Even JavaScript that never returns can be stopped in a thread: it is asked first, and killed after that.
import { EventEmitter, once } from "node:events";
import { defineHandlers, json, TaskManager, threadModule } from "millrace";

type Search = typeof import("./search.js");
const url = new URL("./search.js", import.meta.url);
const events = new EventEmitter();

const tasks = new TaskManager({
  handlers: defineHandlers({
    polite: { payload: json<null>(), module: threadModule<Search, "polite">(url, "polite") },
    deaf: { payload: json<null>(), module: threadModule<Search, "deaf">(url, "deaf") },
    double: { payload: json<number>(), module: threadModule<Search, "double">(url, "double") },
  }),
  threads: { max: 1 },
  killAfterMs: 100, // how long an attempt may go on after its signal has aborted
  hooks: {
    onProgress: () => void events.emit("searching"),
    onWorkerExited: ({ reason }) => void events.emit("exited", reason),
  },
});

// 1. The signal aborts. A handler that looks at it ends by itself, and its thread goes on with other tasks.
const polite = tasks.enqueue("polite", null);
await once(events, "searching");
console.log(polite.cancel("not needed any more"));
await polite.result().catch((error) => console.log(error.code, "|", error.cause));
console.log(await tasks.execute("double", 21), "in thread", tasks.stats().threads.started);

// 2. One that does not look is killed after `killAfterMs`, with its thread; the next task has a new one.
const deaf = tasks.enqueue("deaf", null, { timeoutMs: 200 });
const exited = once(events, "exited");
await deaf.result().catch((error) => console.log(error.code, "|", error.message.replace(deaf.id, "7")));
console.log("its thread was", ...(await exited));
console.log(await tasks.execute("double", 4), "in thread", tasks.stats().threads.started);
await tasks.stopGraceful();

// Prints:
// true
// MILLRACE_TASK_CANCELLED | not needed any more
// 42 in thread 1
// MILLRACE_TASK_TIMEOUT | Task 7 (deaf) ran longer than its timeoutMs of 200
// its thread was killed
// 8 in thread 2
