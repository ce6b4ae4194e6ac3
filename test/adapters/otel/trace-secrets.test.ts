import { context, propagation, trace } from "@opentelemetry/api";
import { expect, test } from "vitest";
import { cancelTask, defineHandlers, fixed, json, type TaskManager } from "../../../src/index.js";
import { rejectionOf, untilAborted } from "../../support/manual-manager.js";
import { traceManager } from "../../support/traced-manager.js";

const SECRET = "canary-7f3a9c";

/** Everything that a value holds, getters, symbols and what is not enumerable included. */
function textOf(value: unknown, seen = new Set<unknown>()): string {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return String(value);
  if (seen.has(value)) return "";
  seen.add(value);
  const own = Reflect.ownKeys(value).map((key) => {
    try {
      return `${String(key)}: ${textOf(Reflect.get(value, key), seen)}`;
    } catch {
      return String(key);
    }
  });
  const entries =
    value instanceof Map || value instanceof Set ? [...value].map((one) => textOf(one, seen)) : [];
  return [...own, ...entries].join("\n");
}

class SecretiveError extends Error {
  readonly token = SECRET;
  readonly details = { nested: [SECRET] };

  constructor() {
    super(`message ${SECRET}`, { cause: new Error(`cause ${SECRET}`) });
    this.name = `${SECRET} is no name`;
    this.stack = `stack ${SECRET}`;
  }
}

const handlers = defineHandlers({
  login: {
    payload: json<{ password: string }>(),
    run: ({ password }, { attempt, progress }) => {
      progress({ password });
      if (attempt === 1) throw new SecretiveError();
      return { token: password };
    },
  },
});

test("what payloads, values, errors, metadata and reasons hold is in no span", async () => {
  const options = { handlers, maxAttempts: 2, backoff: fixed({ delayMs: 1 }), killAfterMs: 5 };
  const { sdk, tasks } = traceManager(options, { traces: { baggage: ["secret"] } });
  const labels = {
    metadata: { [SECRET]: SECRET },
    name: SECRET,
    description: SECRET,
    idempotencyKey: SECRET,
  };
  const baggage = propagation.createBaggage({ secret: { value: SECRET } });
  const handles = context.with(propagation.setBaggage(context.active(), baggage), () => [
    (tasks as object as TaskManager<typeof handlers>).enqueue("login", { password: SECRET }, labels),
    tasks.enqueue(() => Promise.reject(new SecretiveError()), { metadata: labels.metadata }),
    tasks.enqueue(() => Promise.reject(SECRET)),
    tasks.enqueue(() => Promise.reject(cancelTask(SECRET))),
    tasks.enqueue(() => new Promise(() => {}), { timeoutMs: 1, name: SECRET }),
  ]);
  const cancelled = tasks.enqueue(untilAborted);
  await tasks.clock.advance(20);
  cancelled.cancel(new SecretiveError());
  await Promise.all([
    ...handles.map((handle) => handle.result().catch(() => undefined)),
    rejectionOf(cancelled.result()),
  ]);
  expect(sdk.sends).toHaveLength(6);
  expect(sdk.attempts).toHaveLength(10);
  expect(textOf(sdk.spans)).toContain("process default");
  expect(textOf(sdk.spans)).not.toContain(SECRET);
});

test("the search finds what a span was given", () => {
  const { sdk } = traceManager();
  const span = trace.getTracer("test").startSpan("one");
  span.recordException(new SecretiveError());
  span.end();
  expect(textOf(sdk.spans)).toContain(SECRET);
});
