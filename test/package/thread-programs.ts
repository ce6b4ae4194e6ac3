/** Programs of users of worker threads, as ESM; `toCommonJs` turns one into CommonJS. */

/** A worker module: its handlers steer, and know where they run. */
export const work = `
  import { isMainThread } from "node:worker_threads";
  import { skipRetry } from "millrace/worker";
  export async function add({ a, b }, { attempt, enqueue }) {
    if (a === 0) throw skipRetry(new RangeError("no zeros"));
    return { sum: a + b, attempt, isMainThread };
  }
`;

/** Nobody stops the manager: idle threads must not keep the process alive. */
export const useThreads = (url: string) => `
  import { defineHandlers, json, TaskManager, threadModule } from "millrace";
  const handlers = defineHandlers({ add: { payload: json(), maxAttempts: 3, module: threadModule(${url}, "add") } });
  const tasks = new TaskManager({ handlers, threads: { max: 1 } });
  const main = async () => {
    console.log(JSON.stringify(await tasks.execute("add", { a: 1, b: 2 })));
    await tasks.execute("add", { a: 0, b: 2 }).catch((error) => console.log(error.name, error.message));
    const { total, threads } = tasks.stats();
    console.log(total.retried, threads.alive, threads.started);
  };
  main();
`;

/** Uses no threads, and must not need what makes them. */
export const withoutThreads = `
  import { TaskManager } from "millrace";
  import { rateLimited, serveHandlers, skipRetry } from "millrace/worker";
  serveHandlers({ add: () => 1 });
  const main = async () => {
    console.log(await new TaskManager().execute(() => "ran"), typeof rateLimited, typeof skipRetry);
    await import("tinypool").catch((error) => console.log(error.code));
  };
  main();
`;

/** What a bundler takes for its two entries. */
export const bundledMain = `
  import { defineHandlers, json, TaskManager } from "millrace";
  const worker = new URL("./worker.js", import.meta.url);
  const handlers = defineHandlers({ double: { payload: json(), module: worker }, halve: { payload: json(), module: worker } });
  const tasks = new TaskManager({ handlers });
  console.log(await tasks.execute("double", 21), await tasks.execute("halve", 8));
  await tasks.stopGraceful();
`;
export const bundledWorker = `
  import { serveHandlers } from "millrace/worker";
  import { double, halve } from "./arithmetic.js";
  serveHandlers({ double, halve });
`;

/** One file for all. */
export const bundledAll = `
  import { isMainThread } from "node:worker_threads";
  import { defineHandlers, json, TaskManager } from "millrace";
  import { serveHandlers } from "millrace/worker";
  import { double } from "./arithmetic.js";
  if (isMainThread) {
    const handlers = defineHandlers({ double: { payload: json(), module: new URL(import.meta.url) } });
    const tasks = new TaskManager({ handlers });
    tasks.execute("double", 4).then(async (value) => {
      console.log(value);
      await tasks.stopGraceful();
    });
  } else {
    serveHandlers({ double });
  }
`;
