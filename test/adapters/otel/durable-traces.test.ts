import { context, propagation, SpanStatusCode, trace } from "@opentelemetry/api";
import { describe, expect, onTestFinished, test } from "vitest";
import { type InstrumentOptions, instrument } from "../../../src/adapters/otel/index.js";
import {
  defineHandlers,
  fixed,
  json,
  memoryBackend,
  reschedule,
  StoreUnreachableError,
} from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";
import { breakClient } from "../../support/broken-backend.js";
import { createDurable } from "../../support/faulty-store.js";
import { rejectionOf, untilAborted } from "../../support/manual-manager.js";
import { idOf, linksOf, parentOf, TraceSdk } from "../../support/traced-manager.js";

const unreachable = new StoreUnreachableError("at redis://user:secret@shop");
const seen: unknown[] = [];
const handlers = defineHandlers({
  mail: {
    payload: json<string>(),
    run: async () => {
      seen.push(trace.getSpanContext(context.active())?.spanId);
      seen.push(propagation.getBaggage(context.active())?.getEntry("tenant")?.value);
    },
  },
  again: {
    payload: json<null>(),
    ...{ maxAttempts: 2, backoff: fixed({ delayMs: 10 }) },
    run: (_, { attempt }) => {
      if (attempt === 1) throw new RangeError("secret");
      throw reschedule({ delayMs: 600_000 });
    },
  },
  slow: { payload: json<null>(), run: (_, given) => untilAborted(given), timeoutMs: false },
});

/** A process that only enqueues, and one that runs; each has instrumentation of its own, of one SDK. */
function createTraced(options: InstrumentOptions = {}, { leaseMs = 30_000, sdk = new TraceSdk() } = {}) {
  sdk.register();
  seen.length = 0;
  const clock = new ManualClock();
  const store = memoryBackend({ clock });
  const producer = createDurable({ handlers, consume: false }, { clock, store });
  const worker = createDurable({ handlers, leaseMs }, { clock, store, seed: 2 });
  for (const { tasks } of [producer, worker]) {
    const instrumented = instrument(tasks, options);
    onTestFinished(() => instrumented[Symbol.dispose]());
  }
  return { clock, store, sdk, producer, worker };
}

describe("spans across processes", () => {
  test("link the attempt to the call that enqueued it, in a trace of its own", async () => {
    const { clock, sdk, producer } = createTraced({ name: "post" });
    const handle = await sdk.inSpan("request", () =>
      producer.tasks.enqueueDurable("mail", "secret", { correlationId: "order-7" }),
    );
    await clock.advance(10);
    const [send] = sdk.sends;
    const [attempt] = sdk.attempts;
    const [request] = sdk.named("request");
    expect(send && parentOf(send)).toBe(idOf(request));
    expect(attempt && linksOf(attempt)).toEqual([idOf(send)]);
    expect(attempt?.parentSpanContext).toBeUndefined();
    expect(attempt?.spanContext().traceId).not.toBe(send?.spanContext().traceId);
    expect(seen[0]).toBe(attempt?.spanContext().spanId);
    const common = {
      ...{ "messaging.system": "millrace", "messaging.destination.name": "default", manager: "post" },
      ...{ "messaging.message.id": handle.id, "messaging.message.conversation_id": "order-7" },
      "millrace.handler": "mail",
    };
    expect([send?.name, send?.attributes]).toEqual([
      "send default",
      { ...common, "messaging.operation.name": "send", "messaging.operation.type": "send" },
    ]);
    expect([attempt?.name, attempt?.attributes]).toEqual([
      "process default",
      {
        ...{ ...common, "messaging.operation.name": "process", "messaging.operation.type": "process" },
        ...{ "millrace.attempt": 1, "millrace.deliveries": 1, "millrace.outcome": "completed" },
      },
    ]);
  });

  test("go on in the trace of the call where that is asked for", async () => {
    const { clock, sdk, producer } = createTraced({ traces: { relation: "parent" } });
    await producer.tasks.enqueueDurable("mail", "a");
    await clock.advance(10);
    const [attempt] = sdk.attempts;
    expect(attempt && parentOf(attempt)).toBe(idOf(sdk.sends[0]));
  });

  test("take along the baggage that was chosen, and none else", async () => {
    const { clock, producer, store } = createTraced({ traces: { baggage: ["tenant"] } });
    const baggage = propagation.createBaggage({ tenant: { value: "acme" }, card: { value: "secret" } });
    const { id } = await context.with(propagation.setBaggage(context.active(), baggage), () =>
      producer.tasks.enqueueDurable("mail", "a", { delayMs: 5 }),
    );
    const [stored] = await store.inspector.read([id]);
    expect(stored?.envelope).toContain("tenant=acme");
    expect(stored?.envelope).not.toContain("secret");
    await clock.advance(10);
    expect(seen[1]).toBe("acme");
  });

  test("are made for each task of a batch, and for each attempt of one, wherever it runs", async () => {
    const { clock, sdk, producer } = createTraced();
    await sdk.inSpan("request", () =>
      producer.tasks.enqueueDurableMany([
        ["again", null],
        ["mail", "a"],
      ]),
    );
    await clock.advance(1_000);
    expect(sdk.sends).toHaveLength(2);
    const attempts = sdk.attempts.filter(({ attributes }) => attributes["millrace.handler"] === "again");
    expect(attempts.map(({ attributes, status }) => [attributes["millrace.outcome"], status.code])).toEqual([
      ["retried", SpanStatusCode.ERROR],
      ["rescheduled", SpanStatusCode.UNSET],
    ]);
    for (const attempt of attempts) expect(linksOf(attempt)).toEqual([idOf(sdk.sends[0])]);
    expect(attempts[0]?.events.map(({ name }) => name)).toEqual(["retry"]);
    expect(attempts[0]?.attributes["error.type"]).toBe("RangeError");
  });

  test("belong to nobody's request where the call was not traced", async () => {
    const { clock, sdk, producer, worker } = createTraced();
    const quiet = createDurable({ handlers, consume: false }, { clock, store: worker.store, seed: 3 });
    await quiet.tasks.enqueueDurable("mail", "a", { delayMs: 50 });
    // The claim that brings it is made in the course of another request, and of its task.
    await sdk.inSpan("request", async () => {
      const ended = worker.tasks.enqueue(
        () => new Promise((resolve) => clock.setTimeout(() => resolve(1), 60)),
      );
      await clock.advance(100);
      await ended.result();
    });
    const [attempt] = sdk.attempts.filter(({ attributes }) => attributes["millrace.handler"] === "mail");
    expect(attempt && [linksOf(attempt), attempt.parentSpanContext]).toEqual([[], undefined]);
    expect(producer.tasks.stats().observerErrors).toBe(0);
  });

  test("are not made where the call was not sampled, and what the handler does is not sampled either", async () => {
    const { SamplingDecision } = await import("@opentelemetry/sdk-trace-node");
    const sampler = {
      shouldSample: () => ({ decision: SamplingDecision.NOT_RECORD }),
      toString: () => "never",
    };
    const { clock, sdk, producer, store } = createTraced({}, { sdk: new TraceSdk({ sampler }) });
    const { id } = await producer.tasks.enqueueDurable("mail", "a", { delayMs: 5 });
    expect((await store.inspector.read([id]))[0]?.envelope).toMatch(/"traceparent":"00-\w{32}-\w{16}-00"/);
    await clock.advance(10);
    expect(seen[0]).toMatch(/^\w{16}$/);
    expect(sdk.spans).toEqual([]);
  });
});

describe("the span of a call that enqueues a durable task", () => {
  test("lasts until the store has answered, and says of what class its error was, and no more", async () => {
    const { sdk, producer } = createTraced();
    producer.link.fail(unreachable, "enqueue");
    await rejectionOf(producer.tasks.enqueueDurable("mail", "secret"));
    const [send] = sdk.sends;
    expect(send?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(send?.attributes["error.type"]).toBe("MILLRACE_STORE_UNREACHABLE");
    expect(JSON.stringify([send?.attributes, send?.events])).not.toContain("secret");
  });

  test("says that an id is taken, and nothing where a key gives the task that is there", async () => {
    const { sdk, producer } = createTraced();
    await producer.tasks.enqueueDurable("mail", "a", { id: "one", idempotencyKey: "once" });
    await rejectionOf(producer.tasks.enqueueDurable("mail", "a", { id: "one" }));
    expect((await producer.tasks.enqueueDurable("mail", "a", { idempotencyKey: "once" })).duplicate).toBe(
      true,
    );
    expect(sdk.sends.map(({ attributes }) => attributes["error.type"])).toEqual([
      ...[undefined, "MILLRACE_DUPLICATE_TASK", undefined],
    ]);
  });

  test("is not begun for what is refused before", async () => {
    const { sdk, producer } = createTraced();
    await rejectionOf(producer.tasks.enqueueDurable("mail", undefined as never));
    await rejectionOf(producer.tasks.enqueueDurable("mail", "a", { queue: ":" }));
    expect(sdk.spans).toEqual([]);
  });
});

describe("the span of an attempt that goes on elsewhere", () => {
  test("ends when the lease is lost, with that as its error", async () => {
    const { clock, sdk, producer, worker } = createTraced({}, { leaseMs: 3_000 });
    await producer.tasks.enqueueDurable("slow", null);
    await clock.advance(1);
    worker.link.fail(unreachable, "extend", "claim");
    await clock.advance(3_500);
    const [attempt] = sdk.attempts;
    expect(attempt?.attributes).toMatchObject({
      ...{ "millrace.outcome": "lease-lost", "error.type": "MILLRACE_LEASE_LOST" },
    });
    worker.link.mend();
    await clock.advance(10_000);
    await producer.tasks.cancel(String(attempt?.attributes["messaging.message.id"]));
    await clock.advance(1_000);
    expect(sdk.attempts[1]?.attributes).toMatchObject({
      ...{ "millrace.deliveries": 2, "millrace.outcome": "cancelled" },
    });
  });

  test("ends when a stop cuts it off, without an error", async () => {
    const { clock, sdk, producer, worker } = createTraced();
    await producer.tasks.enqueueDurable("slow", null);
    await clock.advance(1);
    const stopped = worker.tasks.stopNow();
    await clock.advance(1_000);
    await stopped;
    const [attempt] = sdk.attempts;
    expect(attempt?.attributes["millrace.outcome"]).toBe("interrupted");
    expect(attempt?.status.code).toBe(SpanStatusCode.UNSET);
  });

  test("ends when the store has not confirmed its end in time", async () => {
    const { clock, sdk, producer, worker } = createTraced({}, { leaseMs: 3_000 });
    worker.link.fail(unreachable, "ack", "extend");
    await producer.tasks.enqueueDurable("mail", "a");
    await clock.advance(4_000);
    expect(sdk.attempts[0]?.attributes["millrace.outcome"]).toBe("ack-unknown");
  });
});

describe("headers from a store", () => {
  const hostile: Readonly<Record<string, unknown>> = {
    "are garbage": { traceparent: "00-zz-zz-01", tracestate: "=,=", baggage: "%" },
    "are too long": { traceparent: "0".repeat(30_000), baggage: "tenant=x,".repeat(200) },
    "are no texts": { traceparent: 5, baggage: { tenant: "x" } },
    "are too many": Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`h${n}`, "x"])),
    "are a list": ["traceparent"],
    "are called as what every object has": JSON.parse('{"__proto__":"x","constructor":"y","toString":"z"}'),
  };

  test.each(Object.entries(hostile))(
    "that %s harm nothing: the task runs, linked to nothing",
    async (_, headers) => {
      const { clock, sdk, store, worker } = createTraced({ traces: { baggage: ["tenant"] } });
      const meddling = breakClient(store.connect(), (sound) => ({
        enqueue: (requestId, tasks) =>
          sound.enqueue(
            requestId,
            tasks.map((task) => ({
              ...task,
              envelope: JSON.stringify({ ...JSON.parse(task.envelope), headers }),
            })),
          ),
      }));
      const other = createDurable({ handlers, consume: false, backend: meddling }, { clock, seed: 3 });
      const handle = await other.tasks.enqueueDurable("mail", "a");
      await clock.advance(10);
      expect(worker.tasks.get(handle.id)?.state).toBe("completed");
      expect(sdk.attempts.map(linksOf)).toEqual([[]]);
      expect(worker.tasks.stats().observerErrors).toBe(0);
    },
  );
});
