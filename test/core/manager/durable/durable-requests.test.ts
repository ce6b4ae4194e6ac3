import { describe, expect, it } from "vitest";
import type { Backend, DurableTaskOptions, NewTask } from "../../../../src/index.js";
import { defineHandlers, fixed, json } from "../../../../src/index.js";
import { breakClient } from "../../../support/broken-backend.js";
import { createScene } from "../../../support/durable-scene.js";
import { rejectionOf } from "../../../support/manual-manager.js";

const handlers = defineHandlers({
  plain: { payload: json<number>() },
  own: {
    ...{ payload: json<number>(), queue: "mail", priority: 2, weight: 3, cost: 4, maxDeliveries: 5 },
    ...{ ttlMs: 1_000, timeoutMs: 70, idempotency: { ttlMs: 60, onFailure: "free" } },
  },
});

/** A producer, and what its store is given. */
function createProducer() {
  const { clock, manager } = createScene();
  const given: NewTask[] = [];
  const recorded = (client: Backend) =>
    breakClient(client, (sound) => ({
      enqueue: async (requestId, tasks) => {
        given.push(...tasks);
        return await sound.enqueue(requestId, tasks);
      },
    }));
  const idempotency = { ttlMs: 50, onDuplicate: "reject" as const };
  const tasks = manager({ handlers, consume: false, idempotency }, recorded);
  return { clock, given, tasks };
}

describe("what the store is given of a durable task", () => {
  it("is nothing but its defaults where nobody says anything", async () => {
    const { given, tasks } = createProducer();
    const { id } = await tasks.enqueueDurable("plain", 1);
    const defaults = { priority: 0, weight: 1, cost: 1, maxDeliveries: 10, delayMs: 0, runAt: undefined };
    expect(given).toEqual([
      {
        id,
        handler: "plain",
        payload: Buffer.from("1"),
        envelope: '{"v":1}',
        idempotency: undefined,
        ...defaults,
      },
    ]);
  });

  it("is what the handler says, and what the task says before it", async () => {
    const { given, tasks } = createProducer();
    await tasks.enqueueDurable("own", 1, { idempotencyKey: "a" });
    await tasks.enqueueDurable("own", 1, {
      ...{ id: "x", queue: "q", priority: -1, weight: 9, cost: 8, maxDeliveries: 7, delayMs: 6 },
      ...{
        ttlMs: 9_000,
        idempotencyKey: "b",
        idempotency: { ttlMs: 1, onDuplicate: "keep", onFailure: "hold" },
      },
    });
    const envelopeOf = (ttlMs: number) => JSON.stringify({ v: 1, ttlMs });
    expect(given).toMatchObject([
      {
        ...{ priority: 2, weight: 3, cost: 4, maxDeliveries: 5, delayMs: 0, envelope: envelopeOf(1_000) },
        ...{
          id: expect.stringMatching(/^mail:/),
          idempotency: { key: "a", ttlMs: 60, onDuplicate: "reject", onFailure: "free" },
        },
      },
      {
        ...{ priority: -1, weight: 9, cost: 8, maxDeliveries: 7, delayMs: 6, envelope: envelopeOf(9_000) },
        ...{ id: "q:x", idempotency: { key: "b", ttlMs: 1, onDuplicate: "keep", onFailure: "hold" } },
      },
    ]);
  });

  it("has all in the envelope that the task says of its attempts and itself, and nothing else", async () => {
    const { given, tasks } = createProducer();
    const said = {
      ...{ timeoutMs: false as const, maxAttempts: 2, killAfterMs: 3, backoff: fixed({ delayMs: 4 }) },
      ...{ resultTtlMs: 5, deadLetter: false, name: "n", description: "d", correlationId: "c" },
      metadata: { user: 6 },
    } satisfies DurableTaskOptions;
    await tasks.enqueueDurable("plain", 1, { ...said, id: "x", priority: 1 });
    for (const [name, value] of Object.entries(said))
      await tasks.enqueueDurable("plain", 1, { [name]: value });
    const [whole, ...each] = given.map(({ envelope }) => JSON.parse(envelope));
    expect(whole).toEqual({ v: 1, ...JSON.parse(JSON.stringify(said)) });
    for (const [index, name] of Object.keys(said).entries())
      expect(each[index]).toEqual({ v: 1, [name]: whole[name] });
  });

  it("has its instant and its duration as they were given: they go by the store's clock", async () => {
    const { clock, given, tasks } = createProducer();
    const deadline = clock.wallNow() + 10;
    for (const options of [{ deadline }, { ttlMs: 20 }, { deadline: new Date(deadline), ttlMs: 8.64e15 }])
      await tasks.enqueueDurable("plain", 1, options);
    expect(given.map(({ envelope }) => JSON.parse(envelope))).toEqual([
      { v: 1, deadlineAt: deadline },
      { v: 1, ttlMs: 20 },
      { v: 1, deadlineAt: deadline, ttlMs: 8.64e15 },
    ]);
    const far = await rejectionOf(tasks.enqueueDurable("plain", 1, { deadline: 8.65e15 }));
    expect(far).toMatchObject({ code: "MILLRACE_OPTION" });
    expect(given).toHaveLength(3);
  });

  it("tells the store when it is due and when its life ends, as they were given", async () => {
    const { clock, given, tasks } = createProducer();
    const at = clock.wallNow() + 1_000;
    for (const options of [
      { delayMs: 500, ttlMs: 200 },
      { runAt: at + 500, deadline: new Date(at) },
      { runAt: at + 500, ttlMs: 1 },
      { delayMs: 500, deadline: at - 1_000 },
      {},
    ])
      await tasks.enqueueDurable("plain", 1, options);
    expect(given.map(({ delayMs, runAt, ttlMs, deadlineAt }) => [delayMs, runAt, ttlMs, deadlineAt])).toEqual(
      [
        [500, undefined, 200, undefined],
        [0, at + 500, undefined, at],
        [0, at + 500, 1, undefined],
        [500, undefined, undefined, at - 1_000],
        [0, undefined, undefined, undefined],
      ],
    );
  });
});
