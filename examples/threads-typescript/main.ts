// A worker module in TypeScript, without compiling it first.
import { defineHandlers, json, TaskManager, threadModule } from "millrace";

// For the compiler: what there is at run time is the URL.
type Resize = typeof import("./resize.ts");
type Picture = import("./resize.ts").Picture;

const tasks = new TaskManager({
  handlers: defineHandlers({
    resize: {
      payload: json<Picture>(),
      module: threadModule<Resize>(new URL("./resize.ts", import.meta.url)),
    },
  }),
  threads: {
    // Threads do not inherit what the process was started with. This works with each version of Node. From
    // 22.18 on Node reads TypeScript without it, where leaving the types out makes it JavaScript.
    preload: [new URL("./register-tsx.js", import.meta.url)],
  },
});

const { scale, attempt } = await tasks.execute("resize", { width: 640, height: 960, fit: "contain" });
console.log(scale, attempt); // the compiler knows: two numbers
await tasks.stopGraceful();

// Prints:
// 0.25 1
