import {
  defineHandlers,
  type Handlers,
  json,
  type ResultOfHandler,
  type TaskHandle,
  TaskManager,
} from "millrace";
import * as z from "zod";
import { same } from "./same.js";

const handlers = defineHandlers({
  send: { payload: json<{ to: string }>(), run: async ({ to }) => to.length },
  parse: { payload: z.string().transform(Number), run: (value) => value > 5 },
  contract: { payload: json<string>() },
});
const tasks = new TaskManager({ handlers });

// Every way in knows the payload and the result of each name.
const sent = tasks.enqueue("send", { to: "a" }, { priority: 1 });
same<typeof sent, TaskHandle<number>>();
const parsed = tasks.enqueueAsync("parse", "6");
same<typeof parsed, Promise<TaskHandle<boolean>>>();
const executed = tasks.execute("contract", "a");
same<typeof executed, Promise<unknown>>();
const many = tasks.enqueueMany([
  ["send", { to: "a" }],
  () => "text",
  ["parse", "6", { delayMs: 5 }],
  [async () => null, { priority: 5 }],
]);
same<typeof many, [TaskHandle<number>, TaskHandle<string>, TaskHandle<boolean>, TaskHandle<null>]>();

// @ts-expect-error: no such handler
tasks.enqueue("sned", { to: "a" });
// @ts-expect-error: the payload lacks a member
tasks.enqueue("send", {});
// @ts-expect-error: a payload is asked for
tasks.enqueue("send");
// @ts-expect-error: what comes out of the schema is not what goes in
tasks.enqueueAsync("parse", 6);
// @ts-expect-error: the payload of another handler
tasks.execute("contract", { to: "a" });
// @ts-expect-error: no such handler
tasks.enqueueMany([["sned", { to: "a" }]]);
// @ts-expect-error: the payload lacks a member
tasks.enqueueMany([["send", {}]]);
// @ts-expect-error: an unknown option
tasks.enqueue("send", { to: "a" }, { prio: 1 });

const plain = new TaskManager();
// @ts-expect-error: a manager without handlers knows no names
plain.enqueue("send", { to: "a" });

// What knows nothing of the handlers may be given any manager for its functions.
function report(manager: Pick<TaskManager, "stats" | "list">): number {
  return manager.stats().queued + manager.list({ handler: "send" }).length;
}
report(plain);
report(tasks);

// A handler that awaits a task of its own manager has a type that depends on itself, unless it is written.
const family = defineHandlers({
  parent: {
    payload: json<number>(),
    run: async (depth): Promise<number> => {
      if (depth === 0) return 0;
      const below: number = await manager.execute("parent", depth - 1);
      return below + 1;
    },
  },
});
const manager = new TaskManager({ handlers: family });
same<ResultOfHandler<typeof family, "parent">, number>();

// `context.enqueue` knows no names, and needs no type to be written.
const knots = defineHandlers({
  parent: {
    payload: json<number>(),
    run: async (depth, { enqueue }) => (await enqueue("parent", depth - 1)).id,
  },
});
same<ResultOfHandler<typeof knots, "parent">, string>();

// Any registry is one of unknown handlers.
export const any: Handlers = handlers;
