import { expect, test } from "vitest";
import { instrument } from "../../src/adapters/otel/index.js";
import {
  cancelTask,
  defineHandlers,
  fixed,
  json,
  rateLimited,
  reschedule,
  skipRetry,
  TaskFailedError,
} from "../../src/index.js";
import { createManager, untilAborted } from "../support/manual-manager.js";
import { ScrapedProvider } from "../support/scrape.js";

const SECRET = "hunter2";

/** An error that carries it wherever an error can carry anything. */
function leaky(): Error {
  const error = new Error(SECRET, { cause: new Error(SECRET, { cause: SECRET }) });
  return Object.assign(error, { name: SECRET, code: SECRET, [SECRET]: SECRET, stack: `${SECRET}\n at x` });
}

test("I18: secrets in payloads, errors, values, metadata and reasons appear in no metric", async () => {
  const handlers = defineHandlers({
    send: {
      payload: json<{ password: string }>(),
      maxAttempts: 2,
      backoff: fixed({ delayMs: 1 }),
      run: (_, { attempt }) => {
        if (attempt === 1) throw leaky();
        return SECRET;
      },
    },
  });
  const { clock, tasks } = createManager({
    handlers: handlers as never,
    ...{ capacity: 40, retention: { values: true }, hooks: { onFinished: () => Promise.reject(leaky()) } },
  });
  const scraped = new ScrapedProvider();
  using _watching = instrument(tasks, { meterProvider: scraped.provider, processDuration: true });
  const reader = tasks.subscribe({
    capacity: 1,
    filter: () => {
      throw leaky();
    },
  });
  tasks.subscribe({ capacity: 1 });
  const options = {
    ...{ name: SECRET, description: SECRET, correlationId: SECRET, metadata: { [SECRET]: SECRET } },
  };
  tasks.enqueue("send" as never, { password: SECRET } as never, { id: SECRET, ...options });
  const thrown = [leaky(), SECRET, { [SECRET]: SECRET }, skipRetry(leaky()), cancelTask(SECRET)];
  for (const one of [...thrown, new AggregateError([leaky()], SECRET), new TaskFailedError(SECRET, SECRET)])
    tasks.enqueue(
      () => {
        throw one;
      },
      { ...options, idempotencyKey: `${SECRET}-${tasks.stats().total.enqueued}`, maxAttempts: 2 },
    );
  for (const steering of [reschedule({ delayMs: 1 }), rateLimited({ retryAfterMs: 1 })])
    tasks.enqueue(
      () => {
        throw steering;
      },
      { ...options, ttlMs: 10 },
    );
  tasks.enqueue(untilAborted, options).cancel(leaky());
  const running = tasks.enqueue(untilAborted, options);
  await clock.advance(100_000);
  running.cancel(SECRET);
  await clock.advance(100);
  const { text, ...seen } = await scraped.scrape();
  expect(tasks.stats().total.failed).toBeGreaterThan(3);
  expect(tasks.stats().observerErrors).toBeGreaterThan(3);
  expect(text).toContain('error_type="Error"');
  expect(text).not.toContain(SECRET);
  expect(JSON.stringify(seen)).not.toContain(SECRET);
  reader[Symbol.dispose]();
});
