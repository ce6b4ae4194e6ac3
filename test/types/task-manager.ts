import { defineHandlers, json, TaskManager } from "millrace";
import { same } from "./same.js";

const handlers = defineHandlers({
  shout: { payload: json<{ text: string }>(), run: async ({ text }) => text.toUpperCase() },
  count: { payload: json<string[]>(), run: (words) => words.length },
});
const tasks = new TaskManager({ handlers });

// By name: the payload and the result are those of the handler.
const shouted = tasks.enqueue("shout", { text: "hello" }, { priority: 1 });
same<Awaited<ReturnType<typeof shouted.result>>, string>();
same<Awaited<ReturnType<typeof count>>, number>();
const count = () => tasks.execute("count", ["one", "two"]);
same<Awaited<ReturnType<typeof later>>, number>();
const later = async () => (await tasks.enqueueAsync("count", [])).result();
// A function goes on being a task by itself.
same<Awaited<ReturnType<typeof plain.result>>, number>();
const plain = tasks.enqueue(() => 1);

// @ts-expect-error: no handler has this name
tasks.enqueue("shuot", { text: "hello" });
// @ts-expect-error: the payload is that of another handler
tasks.enqueue("count", { text: "hello" });
// @ts-expect-error: an unknown option
tasks.enqueue("count", [], { prority: 1 });
// @ts-expect-error: a payload is missing
tasks.enqueue("count");
// @ts-expect-error: this manager has no handlers
new TaskManager().enqueue("count", []);
// @ts-expect-error: not a registry
new TaskManager({ handlers: { shout: () => 1 } });

// Many: a tuple, one for one.
const many = () => tasks.enqueueMany([() => true, ["shout", { text: "a" }], ["count", [], { weight: 2 }]]);
type Values<T> = { [K in keyof T]: T[K] extends { result(): Promise<infer R> } ? R : never };
same<Values<ReturnType<typeof many>>, [boolean, string, number]>();
// @ts-expect-error: one of them has the wrong payload
tasks.enqueueMany([() => 1, ["count", [1]]]);

// Results tell the type of their value by the name of their handler.
export async function read(): Promise<void> {
  for await (const result of tasks.subscribe({ filter: ({ handler }) => handler !== undefined })) {
    if (result.handler === "shout" && result.state === "completed") same<typeof result.value, string>();
    if (result.handler === "count" && result.state === "completed") same<typeof result.value, number>();
    if (result.handler === "count" && result.state === "failed") same<typeof result.value, undefined>();
    // @ts-expect-error: no handler has this name
    if (result.handler === "conut") return;
  }
}

// Whoever does not care for the handlers can take any manager.
const stop = (any: TaskManager) => any.stopGraceful();
await stop(tasks);
await stop(new TaskManager());
