import { describe, expect, it } from "vitest";
import { defineHandlers, json, memoryBackend, type TaskContext } from "../../src/index.js";
import { createTestManager, ManualClock } from "../../src/testing/index.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";

function createKit() {
  const clock = new ManualClock();
  const sent: string[] = [];
  const handlers = defineHandlers({
    sendEmail: {
      payload: json<{ to: string }>(),
      queue: "email",
      priority: 5,
      run: ({ to }, { attempt }) => {
        if (attempt === 1) throw new Error("the first attempt fails");
        sent.push(to);
        return `sent to ${to}`;
      },
    },
    signUp: {
      payload: json<{ email: string }>(),
      run: async ({ email }, { enqueueDurable }: TaskContext) => {
        await enqueueDurable("sendEmail", { to: email }, { delayMs: 60_000 });
      },
    },
    elsewhere: { payload: json<null>() },
  });
  const kit = createTestManager({ handlers, clock, backend: memoryBackend({ clock }) });
  return { kit, sent };
}

describe("a test manager with a backend", () => {
  it("records durable tasks as they were accepted, by one call or by one for many", async () => {
    const { kit } = createKit();
    const ada = { to: "ada" };
    const { id } = await kit.tasks.enqueueDurable("sendEmail", ada, { delayMs: 500, idempotencyKey: "k" });
    await kit.tasks.enqueueDurable("sendEmail", ada, { idempotencyKey: "k" }); // kept from being a task
    await kit.tasks.enqueueDurableMany([["sendEmail", { to: "bob" }, { priority: 1, maxAttempts: 9 }]]);
    kit.tasks.enqueue("signUp", { email: "cleo" });
    const [first, second] = kit.requireEnqueued("sendEmail", undefined, { durable: true, times: 2 });
    expect(first).toMatchObject({ id, payload: ada, queue: "email", priority: 5, maxAttempts: 3, weight: 1 });
    expect(first).toMatchObject({ delayMs: 500, idempotencyKey: "k", durable: true, state: undefined });
    expect(second).toMatchObject({ payload: { to: "bob" }, priority: 1, maxAttempts: 9, delayMs: 0 });
    expect(kit.enqueued(undefined, { durable: false })).toMatchObject([{ handler: "signUp" }]);
    kit.requireNotEnqueued("sendEmail", { to: "cleo" });
    expect(() => kit.requireNotEnqueued("sendEmail", ada)).toThrow("sendEmail");
    await kit.close();
  });

  it("runs all of them to their end, with delays, retries and those of handlers", async () => {
    const { kit, sent } = createKit();
    await kit.tasks.enqueueDurable("sendEmail", { to: "ada" });
    await kit.tasks.enqueueDurable("signUp", { email: "cleo" });
    const results = await kit.runAll();
    expect(sent).toEqual(["ada", "cleo"]);
    expect(results.map(({ handler, state }) => [handler, state])).toEqual([
      ["signUp", "completed"],
      ["sendEmail", "completed"],
      ["sendEmail", "completed"],
    ]);
    kit.requireEnqueued("sendEmail", { to: "cleo" }, { durable: true, delayMs: 60_000, times: 1 });
    await kit.close();
  });

  it("says which durable task does not end, where nobody runs its handler", async () => {
    const { kit } = createKit();
    const { id } = await kit.tasks.enqueueDurable("elsewhere", null);
    const message = async () => ((await rejectionOf(kit.runAll({ maxSteps: 30 }))) as Error).message;
    expect(await message()).toMatch(new RegExp(`the durable task ${id} has not ended$`));
    await kit.tasks.enqueueDurable("elsewhere", null);
    expect(await message()).toMatch(new RegExp(`the durable task ${id} has not ended, nor have 1 more$`));
    await kit.close();
  });

  it("records none that were refused", async () => {
    const { kit } = createKit();
    await expect(kit.tasks.enqueueDurable("sendEmail", { to: 1 as never }, { cost: 0 })).rejects.toThrow(
      "cost",
    );
    await kit.close();
    await expect(kit.tasks.enqueueDurable("sendEmail", { to: "ada" })).rejects.toThrow();
    expect(kit.enqueued()).toEqual([]);
    expect(thrownBy(() => kit.requireEnqueued("sendEmail"))).toMatchObject({ code: "ERR_ASSERTION" });
  });
});
