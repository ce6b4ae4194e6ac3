// One worker file that serves several handlers by name: the form that bundlers ask for.
import { defineHandlers, json, TaskManager } from "millrace";

// Where main.ts is bundled, worker.js is a second entry of the bundler, and ends up beside it.
const worker = new URL("./worker.js", import.meta.url);

const tasks = new TaskManager({
  handlers: defineHandlers({
    countWords: { payload: json<string>(), result: json<number>(), module: worker },
    sortWords: { payload: json<{ words: string[] }>(), result: json<string[]>(), module: worker },
    forgotten: { payload: json<null>(), module: worker },
  }),
  threads: { workerData: { locale: "sv" } }, // what workerData() gives; nothing else comes along
});

// `result` tells the compiler what comes back, and checks it.
const count: number = await tasks.execute("countWords", "all that is gold does not glitter");
console.log(count);
console.log(await tasks.execute("sortWords", { words: ["öl", "zink", "al", "ål"] }));
await tasks.drain();
console.log(tasks.get("counted")?.state);

// A name that the file does not serve: its tasks fail, and say why. Those of the others go on.
await tasks.execute("forgotten", null).catch((error) => {
  console.log(error.code, error.cause.message.replace(worker.href, "worker.js"));
});
await tasks.stopGraceful();

// Prints:
// 7
// [ 'al', 'zink', 'ål', 'öl' ]
// completed
// MILLRACE_HANDLER_LOAD worker.js exports no function "default", and serves no handler "forgotten"
