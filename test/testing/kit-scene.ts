import { onTestFinished } from "vitest";
import { defineHandlers, json, rateLimited, type TaskContext } from "../../src/index.js";
import { createTestManager, type TestManager, type TestManagerOptions } from "../../src/testing/index.js";

/** Handlers of a shop, and what they did. */
export function createHandlers() {
  const sent: string[] = [];
  const handlers = defineHandlers({
    sendEmail: {
      payload: json<{ to: string; copies?: number }>(),
      queue: "email",
      priority: 5,
      maxAttempts: 3,
      timeoutMs: 1_000,
      run: async ({ to }) => {
        sent.push(to);
        return `sent to ${to}`;
      },
    },
    signUp: {
      payload: json<{ email: string }>(),
      run: async ({ email }, { enqueue }: TaskContext) => {
        await enqueue("sendEmail", { to: email }, { delayMs: 60_000 });
        await enqueue(() => "a function");
      },
    },
    flaky: {
      payload: json<{ failures: number }>(),
      maxAttempts: 5,
      run: ({ failures }, { attempt }) => {
        if (attempt <= failures) throw new Error(`attempt ${attempt} failed`);
        return attempt;
      },
    },
    limited: {
      payload: json<null>(),
      run: () => {
        throw rateLimited({ retryAfterMs: 100, scope: "all" });
      },
    },
    contract: { payload: json<string>() },
  });
  return { handlers, sent };
}

export type ShopHandlers = ReturnType<typeof createHandlers>["handlers"];

/** A test manager of the shop, closed when the test is over. */
export function createKit(options: Omit<TestManagerOptions<ShopHandlers>, "handlers"> = {}) {
  const { handlers, sent } = createHandlers();
  const kit: TestManager<ShopHandlers> = createTestManager({ ...options, handlers });
  onTestFinished(async () => {
    await kit.close();
  });
  return { kit, handlers, sent };
}
