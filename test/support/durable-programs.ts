import { expect, onTestFinished, test } from "vitest";
import {
  type AnyHandlers,
  type Backend,
  defineHandlers,
  fixed,
  json,
  OptionError,
  PayloadError,
  TaskCancelledError,
  TaskManager,
  type TaskManagerOptions,
} from "../../src/index.js";
import { rejectionOf, untilAborted } from "./manual-manager.js";

/** Connects one more process to the store of a test. */
export type Connect = () => Backend;

/** A process in real time, which is stopped when the test is over. */
function startManager<H extends AnyHandlers>(connect: Connect, options: TaskManagerOptions<H>) {
  const tasks = new TaskManager<H>({ backend: connect(), ...options });
  onTestFinished(async () => {
    await tasks.stopNow();
  });
  return tasks;
}

const ODD_NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "then", "prototype"] as const;

const PAYLOADS: readonly (readonly [string, unknown])[] = [
  ["numbers at their edges", [2 ** 53 - 1, -(2 ** 53) + 1, 1e308, 5e-324, 0.1]],
  ["empty things", { list: [], object: {}, text: "", no: null }],
  ["texts of all kinds", ["\u0000", "\r\n$3\r\nfoo", "é", "😀", "\u2028", "*?[]{}:", "x".repeat(10_000)]],
  ["keys that objects have", JSON.parse('{"toString":1,"hasOwnProperty":2,"then":3,"valueOf":4}')],
];

/** What has to hold whatever the store is; each test opens one of its own. */
export function durablePrograms(open: () => Connect): void {
  test.for(PAYLOADS)("Z4, Z5: %s come back as they were given", async ([, given]) => {
    const seen: unknown[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json(),
        run: (payload: unknown) => {
          seen.push(payload);
          return payload;
        },
      },
    });
    const tasks = startManager(open(), { handlers });
    const handle = await tasks.enqueueDurable("work", given as never);
    expect(await handle.result()).toEqual(given);
    expect(seen).toEqual([given]);
    expect(({} as { list?: unknown }).list).toBeUndefined();
  });

  test("Z5: what would not come back as it is is refused, and nothing is kept of it", async () => {
    const handlers = defineHandlers({ work: { payload: json() } });
    const connect = open();
    const tasks = startManager(connect, { handlers });
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    for (const bad of [1n, Number.NaN, Infinity, new Date(), new Map(), () => {}, Symbol("s"), cyclic])
      expect(await rejectionOf(tasks.enqueueDurable("work", bad as never))).toBeInstanceOf(PayloadError);
    const [counts] = await connect().inspector.counts(["default"]);
    expect(counts).toMatchObject({ ready: 0, delayed: 0 });
  });

  test("Z4, V1: names that objects have are ids, keys, handlers and queues like others", async () => {
    const entries = ODD_NAMES.map((name) => [
      name,
      { payload: json<string>(), run: (given: string) => `${name} ${given}` },
    ]);
    const record = Object.assign(Object.create(null), Object.fromEntries(entries.slice(1)));
    const handlers = defineHandlers(record as Record<"work", { payload: ReturnType<typeof json<string>> }>);
    const named = handlers as unknown as AnyHandlers;
    const tasks = startManager(open(), { handlers: named, queues: { constructor: {}, then: {} } });
    for (const name of ODD_NAMES.slice(1)) {
      const options = { id: name, queue: "constructor", metadata: { [name]: name }, idempotencyKey: name };
      const handle = await tasks.enqueueDurable(name as never, "x" as never, options);
      expect(handle.id).toBe(`constructor:${name}`);
      expect(await handle.result()).toBe(`${name} x`);
      const again = await tasks.enqueueDurable(name as never, "x" as never, { ...options, id: "other" });
      expect([again.id, again.duplicate]).toEqual([handle.id, true]);
    }
    expect(await rejectionOf(tasks.enqueueDurable("valueOf" as never, "x" as never))).toMatchObject({
      code: "MILLRACE_UNKNOWN_HANDLER",
    });
  });

  test("V2: names that could mean something to a store are refused at the door", async () => {
    const handlers = defineHandlers({ work: { payload: json<string>() } });
    const tasks = startManager(open(), { handlers });
    const odd = [
      "a b",
      "a\nb",
      "a\0b",
      "*",
      "a[b]",
      "{tag}",
      "",
      "x".repeat(10_000),
      "\r\n*1\r\n$8\r\nFLUSHALL",
    ];
    for (const name of odd) {
      expect(await rejectionOf(tasks.enqueueDurable("work", "x", { id: name }))).toBeInstanceOf(OptionError);
      expect(await rejectionOf(tasks.enqueueDurable("work", "x", { queue: name }))).toBeInstanceOf(
        OptionError,
      );
    }
    expect(await rejectionOf(tasks.enqueueDurable("work", "x", { queue: "a:b" }))).toBeInstanceOf(
      OptionError,
    );
  });

  test("V2: an idempotency key may be any text, and means nothing but itself", async () => {
    const handlers = defineHandlers({ work: { payload: json<string>() } });
    const tasks = startManager(open(), { handlers });
    const keys = ["*", "a b", "*?", "é", "{x}", "a:b", "a/b", "[ab]"];
    const first = await Promise.all(
      keys.map((idempotencyKey) => tasks.enqueueDurable("work", "x", { idempotencyKey })),
    );
    expect(new Set(first.map(({ id }) => id)).size).toBe(keys.length);
    const second = await Promise.all(
      keys.map((idempotencyKey) => tasks.enqueueDurable("work", "x", { idempotencyKey })),
    );
    expect(second.map(({ id, duplicate }) => [id, duplicate])).toEqual(first.map(({ id }) => [id, true]));
  });

  test("Z7: a payload may take as many bytes as its handler says, and not one more", async () => {
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (text: string) => text.length, maxPayloadBytes: 1_002 },
    });
    const tasks = startManager(open(), { handlers });
    for (const [text, fits] of [
      ["x".repeat(999), true],
      ["x".repeat(1_000), true],
      ["é".repeat(500), true],
      ["x".repeat(1_001), false],
      [`${"é".repeat(500)}x`, false],
    ] as const) {
      const accepted = tasks.enqueueDurable("work", text);
      if (fits) expect(await (await accepted).result()).toBe(text.length);
      else expect(await rejectionOf(accepted)).toBeInstanceOf(PayloadError);
    }
  });

  test("Z2: what a handler's schema cannot read is retried by policy, and then a dead letter", async () => {
    let refuses = false;
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) =>
          refuses ? { issues: [{ message: "another version" }] } : { value: value as string },
      },
    };
    const handlers = defineHandlers({
      work: { payload: schema, run: () => {}, maxAttempts: 3, backoff: fixed({ delayMs: 20 }) },
    });
    const connect = open();
    const tasks = startManager(connect, { handlers, autoStart: false });
    const handle = await tasks.enqueueDurable("work", "x");
    refuses = true;
    tasks.start();
    expect(await rejectionOf(handle.result())).toBeInstanceOf(PayloadError);
    const [letter] = await connect().inspector.read([handle.id]);
    expect(letter).toMatchObject({ place: "dead", attempts: 3, outcome: { reason: "error" } });
  });

  test("Z10: a task of a later version is left in place, and unknown fields of this one do no harm", async () => {
    const runs: string[] = [];
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (name: string) => void runs.push(name) },
    });
    const connect = open();
    const store = connect();
    const given = {
      ...{ handler: "work", priority: 0, weight: 1, cost: 1, maxDeliveries: 3, delayMs: 0 },
      ...{ runAt: undefined, idempotency: undefined },
    };
    const payload = (name: string) => new TextEncoder().encode(JSON.stringify(name));
    await store.enqueue("r1", [
      { ...given, id: "default:later", payload: payload("later"), envelope: '{"v":2,"maxAttempts":"many"}' },
      { ...given, id: "default:more", payload: payload("more"), envelope: '{"v":1,"color":"blue"}' },
    ]);
    const tasks = startManager(connect, { handlers });
    await tasks.handle("work", "default:more").result();
    const later = async () => (await store.inspector.read(["default:later"]))[0];
    await expect.poll(later).toMatchObject({ place: "delayed", attempts: 0, deliveries: 0 });
    expect(runs).toEqual(["more"]);
    expect((await later())?.envelope).toBe('{"v":2,"maxAttempts":"many"}');
  });

  test("a damaged envelope ends its task as a dead letter, and blocks no other", async () => {
    const handlers = defineHandlers({ work: { payload: json<string>(), run: (name: string) => name } });
    const connect = open();
    const store = connect();
    const given = {
      ...{ handler: "work", priority: -5, weight: 1, cost: 1, maxDeliveries: 3, delayMs: 0 },
      ...{ runAt: undefined, idempotency: undefined, payload: new Uint8Array([34, 34]) },
    };
    const bad = ["", "{", "[]", '{"v":1,"timeoutMs":"soon"}', '{"v":1,"__proto__":{"timeoutMs":1}}'];
    await store.enqueue(
      "r1",
      bad.map((envelope, n) => ({ ...given, id: `default:bad${n}`, envelope })),
    );
    const tasks = startManager(connect, { handlers });
    const sound = await tasks.enqueueDurable("work", "x");
    expect(await sound.result()).toBe("x");
    for (const n of [0, 1, 2, 3])
      expect(await rejectionOf(tasks.handle("work", `default:bad${n}`).result())).toBeInstanceOf(
        PayloadError,
      );
    expect(await tasks.handle("work", "default:bad4").result()).toBe("");
  });

  test("C10: a running task is cancelled from another process within a second", async () => {
    let begun = () => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        run: (_: string, { signal }) => {
          begun();
          return untilAborted({ signal });
        },
      },
    });
    const connect = open();
    const tasks = startManager(connect, { handlers });
    const other = startManager(connect, { handlers, consume: false });
    const { id } = await tasks.enqueueDurable("work", "x");
    await running;
    const handle = other.handle("work", id);
    expect(await handle.cancel("stop that")).toBe(true);
    const error = await rejectionOf(handle.result({ timeoutMs: 1_000 }));
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error).toMatchObject({ cause: "stop that" });
  });

  test("D17: dead letters that two processes replay at once move once, with an expired deadline too", async () => {
    let works = false;
    const handlers = defineHandlers({
      work: {
        payload: json<string>(),
        maxAttempts: 1,
        run: (name: string) => {
          if (works) return name;
          throw new Error("no");
        },
      },
    });
    const connect = open();
    const tasks = startManager(connect, { handlers });
    const other = startManager(connect, { handlers, consume: false });
    const failed = await tasks.enqueueDurable("work", "failed");
    const expired = await tasks.enqueueDurable("work", "expired", { deadline: Date.now() - 1 });
    for (const handle of [failed, expired]) await rejectionOf(handle.result());
    works = true;
    const ids = [failed.id, expired.id, "default:nobody"];
    const replays = await Promise.all([tasks, other].map((each) => each.replayDeadLetters({ ids })));
    expect(replays.flatMap(({ replayed }) => replayed).sort()).toEqual([failed.id, expired.id].sort());
    expect(await Promise.all([failed.result(), expired.result()])).toEqual(["failed", "expired"]);
  });

  test("X5: a stop hands back what runs, and another process completes it at the same attempt", async () => {
    let begun = () => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const connect = open();
    const first = startManager(connect, {
      handlers: defineHandlers({
        work: {
          payload: json<string>(),
          run: (_: string, { signal }) => {
            begun();
            return untilAborted({ signal });
          },
        },
      }),
    });
    const { id } = await first.enqueueDurable("work", "x");
    await running;
    expect(await first.stopNow()).toMatchObject({ alive: 1, interrupted: 1 });
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (_: string, { attempt }) => attempt },
    });
    const second = startManager(connect, { handlers });
    expect(await second.handle("work", id).result()).toBe(1);
  });
}
