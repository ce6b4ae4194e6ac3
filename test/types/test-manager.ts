import { defineHandlers, json, type TaskManager } from "millrace";
import { createTestManager, type EnqueuedTask } from "millrace/testing";
import { same } from "./same.js";

const handlers = defineHandlers({
  sendEmail: { payload: json<{ to: string }>(), run: async ({ to }) => to.length },
  ping: { payload: json<null>(), run: () => "pong" },
});
const kit = createTestManager({ handlers, concurrency: 2 });

// It has no backend, as its options say.
same<typeof kit.tasks, TaskManager<typeof handlers, Record<never, never>>>();

export const some = kit.enqueued();
same<typeof some, EnqueuedTask[]>();
export const emails = kit.requireEnqueued("sendEmail", ({ to }) => to === "a", { times: 1 });
same<(typeof emails)[number]["payload"], { to: string }>();
same<(typeof emails)[number]["handler"], "sendEmail">();

export const length = kit.runHandler("sendEmail", { to: "a" }, { attempt: 2 });
same<typeof length, Promise<number>>();

export async function values(): Promise<unknown> {
  for (const result of await kit.runAll()) {
    if (result.handler === "ping" && result.state === "completed") same<typeof result.value, string>();
  }
  return undefined;
}

// @ts-expect-error there is no such handler
kit.requireEnqueued("sendEmial");
// @ts-expect-error its payload is another
kit.requireEnqueued("sendEmail", { too: "a" });
// @ts-expect-error its payload is another
kit.requireNotEnqueued("ping", "a");
// @ts-expect-error its payload is another
kit.runHandler("ping", { to: "a" });
// @ts-expect-error there is no such condition
kit.enqueued("ping", { prio: 1 });
// @ts-expect-error it runs at once
kit.runHandler("ping", null, { delayMs: 5 });
// @ts-expect-error its time is under control
createTestManager({ clock: { now: () => 1 } });
// @ts-expect-error `run` says that
createTestManager({ autoStart: true });
