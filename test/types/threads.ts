import {
  defineHandlers,
  json,
  type LateFaultDetails,
  type TaskContext as MainContext,
  type PayloadInputOf,
  type ResultOfHandler,
  type TaskHandle,
  TaskManager,
  type ThreadOptions,
  threadModule,
  type WorkerExitedDetails,
} from "millrace";
import { serveHandlers, type TaskContext } from "millrace/worker";
import * as z from "zod";
import { same } from "./same.js";

type Work = typeof import("./thread-work.js");
const url = new URL("thread-work.js", import.meta.url);

const handlers = defineHandlers({
  parse: { payload: json<string>(), module: threadModule<Work>(url) },
  count: { payload: z.array(z.string()), module: threadModule<Work, "count">(url, "count") },
  find: { payload: json<{ word: string }>(), module: threadModule<Work, "find">(url, "find") },
  checked: { payload: json<string>(), result: json<{ words: string[] }>(), module: url },
  inline: { payload: json<null>(), run: () => true },
});
type H = typeof handlers;
const tasks = new TaskManager({ handlers, threads: { max: 2, min: 1, idleTimeoutMs: 1_000 } });

// The result of a module is that of its tasks, however they are handed in.
const parsed = tasks.enqueue("parse", "some words");
same<typeof parsed, TaskHandle<{ id: string; words: string[] }>>();
const result = parsed.result({ timeoutMs: 5 });
same<typeof result, Promise<{ id: string; words: string[] }>>();
const counted = tasks.execute("count", ["a"], { transfer: [new ArrayBuffer(5)] });
same<typeof counted, Promise<number>>();
const found = tasks.enqueueAsync("find", { word: "a" });
same<typeof found, Promise<TaskHandle<number | undefined>>>();
const checked = tasks.execute("checked", "text");
same<typeof checked, Promise<{ words: string[] }>>();
const many = tasks.enqueueMany([
  ["count", ["a"]],
  ["find", { word: "a" }, { priority: 1 }],
]);
same<typeof many, [TaskHandle<number>, TaskHandle<number | undefined>]>();
same<PayloadInputOf<H, "count">, string[]>();
same<ResultOfHandler<H, "parse">, { id: string; words: string[] }>();

export async function read(): Promise<void> {
  for await (const one of tasks.subscribe()) {
    if (one.state !== "completed") continue;
    if (one.handler === "parse") same<typeof one.value, { id: string; words: string[] }>();
    if (one.handler === "count") same<typeof one.value, number>();
    if (one.handler === "find") same<typeof one.value, number | undefined>();
    if (one.handler === "inline") same<typeof one.value, boolean>();
  }
}

// @ts-expect-error: the payload of another handler
tasks.enqueue("count", "text");
// @ts-expect-error: a member is missing
tasks.execute("find", {});
// @ts-expect-error: a member of the wrong type
tasks.enqueueMany([["find", { word: 5 }]]);
// @ts-expect-error: objects are moved, and not numbers
tasks.enqueue("parse", "text", { transfer: [5] });

// @ts-expect-error: there is no such export
threadModule<Work, "parse">(url, "parse");
// @ts-expect-error: the export must be named at run time too
threadModule<Work, "count">(url);
// @ts-expect-error: another export than the one whose types these are
threadModule<Work, "count">(url, "find");
// @ts-expect-error: no function of the module takes what the schema gives
defineHandlers({ count: { payload: json<string>(), module: threadModule<Work, "count">(url, "count") } });
const version = threadModule<Work, "version">(url, "version");
// @ts-expect-error: an export that is no function
defineHandlers({ version: { payload: json<string>(), module: version } });
// @ts-expect-error: a path is no URL
defineHandlers({ parse: { payload: json<string>(), module: "./thread-work.js" } });

// The context of a thread is that of the event loop, so that a function may run in both.
same<TaskContext, MainContext>();
serveHandlers({
  plain: () => 1,
  async: async (payload: { a: number }) => payload.a,
  withContext: (payload: { a: number }, context: TaskContext) => context.attempt + payload.a,
});
// @ts-expect-error: no function
serveHandlers({ plain: 5 });
// @ts-expect-error: there is nothing more than a payload and a context
serveHandlers({ more: (_payload: string, _context: TaskContext, more: number) => more });

const options: ThreadOptions = {
  env: process.env,
  argv: ["--verbose"],
  execArgv: ["--enable-source-maps"],
  workerData: { any: 5 },
  resourceLimits: { maxOldGenerationSizeMb: 64 },
  preload: [url],
  batching: false,
  maxTasksPerThread: 1,
};
export const others = [
  new TaskManager({ threads: options }),
  // @ts-expect-error: an unknown option
  new TaskManager({ threads: { size: 5 } }),
  // @ts-expect-error: a path is no URL
  new TaskManager({ threads: { preload: ["./tracing.js"] } }),
  // @ts-expect-error: an unknown limit
  new TaskManager({ threads: { resourceLimits: { maxHeapMb: 5 } } }),
  new TaskManager({
    hooks: {
      onWorkerExited: (worker) => same<typeof worker, WorkerExitedDetails>(),
      onLateFault: (fault) => same<typeof fault, LateFaultDetails>(),
    },
  }),
];
tasks.setConcurrency({ threads: { max: 5 } });
// @ts-expect-error: only the size of the pool can be changed
tasks.setConcurrency({ threads: { idleTimeoutMs: 5 } });
