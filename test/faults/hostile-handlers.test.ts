import { describe, expect, test } from "vitest";
import {
  defineHandlers,
  json,
  MiddlewareError,
  OptionError,
  PayloadError,
  UnknownHandlerError,
} from "../../src/index.js";
import { createManager, rejectionOf, thrownBy } from "../support/manual-manager.js";
import { answering } from "../support/schemas.js";

const anything = answering((value) => ({ value }));
const echo = { payload: anything, run: (payload: unknown) => [payload] };

/** A registry of one handler whose schema says whether it was asked. */
function createCounted(maxPayloadBytes?: number) {
  let asked = 0;
  const payload = answering((value) => {
    asked++;
    return { value };
  });
  const handlers = defineHandlers({
    echo: { payload, run: (given: unknown) => [given], maxPayloadBytes },
    json: { payload: json<object>(), run: (given: unknown) => [given], maxPayloadBytes },
  });
  const manager = createManager({ handlers });
  return { ...manager, asked: () => asked };
}

const WORDS = [
  "constructor",
  "toString",
  "hasOwnProperty",
  "then",
  "valueOf",
  "prototype",
  "toJSON",
  "__proto__",
];

describe("Z4, V1: a name is only a name", () => {
  test("names that every object has are no handlers", async () => {
    const { tasks } = createManager({ handlers: defineHandlers({ echo }) });
    for (const name of [
      ...WORDS,
      "../../etc/passwd",
      "file:///etc/x.js",
      "echo\n",
      "echo\0",
      "ECHO",
      " echo",
    ]) {
      expect(thrownBy(() => tasks.enqueue(name as "echo", 1))).toBeInstanceOf(UnknownHandlerError);
      expect(await rejectionOf(tasks.execute(name as "echo", 1))).toBeInstanceOf(UnknownHandlerError);
      expect(thrownBy(() => tasks.enqueueMany([[name as "echo", 1]]))).toBeInstanceOf(UnknownHandlerError);
    }
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  test("handlers of such names run, are counted and limited like any other", async () => {
    const names = WORDS.filter((name) => name !== "__proto__");
    const handlers = defineHandlers(
      Object.fromEntries(names.map((name) => [name, { ...echo, maxConcurrency: 1 }])) as {
        [name: string]: typeof echo;
      },
    );
    const { tasks } = createManager({ handlers });
    for (const name of names) {
      expect(await tasks.enqueue(name, name, { id: name, queue: name }).result()).toEqual([name]);
      tasks.setRate({ handler: name, tasksPerSecond: 10 });
      expect(tasks.list({ handler: name })).toHaveLength(1);
      expect(tasks.get(name)?.handler).toBe(name);
    }
    const { handlers: counted } = tasks.stats();
    expect(Object.keys(counted)).toEqual(names);
    expect(Object.getPrototypeOf(counted)).toBeNull();
    for (const name of names) expect(counted[name]).toMatchObject({ completed: 1 });
    await expect(Promise.resolve(handlers)).resolves.toBe(handlers);
  });

  test("__proto__ may be an id, a queue and a member of metadata, and pollutes nothing", async () => {
    const { tasks } = createManager({ handlers: defineHandlers({ echo }) });
    const metadata = JSON.parse('{"__proto__": "text", "constructor": "text"}');
    const handle = tasks.enqueue("echo", 1, { id: "__proto__", queue: "__proto__", metadata });
    await handle.result();
    expect(tasks.get("__proto__")?.queue).toBe("__proto__");
    expect(tasks.get("constructor")).toBeUndefined();
    expect(Object.keys(tasks.get("__proto__")?.metadata ?? {})).toEqual(["__proto__", "constructor"]);
    expect(({} as Record<string, unknown>)["text"]).toBeUndefined();
    expect(Object.prototype).not.toHaveProperty("queued");
  });

  test("a name of 10 KB is refused in a short message, and costs no search for the nearest one", () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`handler-${i}`, echo]));
    const { tasks } = createManager({ handlers: defineHandlers(many as { [name: string]: typeof echo }) });
    const error = thrownBy(() => tasks.enqueue("handler-".repeat(1_280), 1)) as UnknownHandlerError;
    expect(error.handler).toHaveLength(128);
    expect(error.message.length).toBeLessThan(1_000);
    expect(error.message).toContain("and 480 more");
    const control = thrownBy(() => tasks.enqueue("\u001b[2J\n\0", 1)) as Error;
    expect(control.message).toContain(String.raw`"\u001b[2J\n\u0000"`);
  });
});

describe("V2: ids, queues and filters take an allow-list alone", () => {
  const strange = [
    "a\nb",
    "a\0",
    "*",
    "a?",
    "[a]",
    "{a}",
    "a b",
    "",
    "\r\nDEL *",
    "ä",
    "x".repeat(10_240),
    "a/b",
  ];

  test.each(strange.map((text) => [JSON.stringify(text.slice(0, 20)), text]))("not %s", async (_, text) => {
    const { tasks } = createManager({ handlers: defineHandlers({ echo }) });
    for (const option of ["id", "queue"]) {
      const error = thrownBy(() => tasks.enqueue("echo", 1, { [option]: text })) as OptionError;
      expect(error).toBeInstanceOf(OptionError);
      expect(error.option).toBe(option);
      expect(error.message.length).toBeLessThan(300);
      expect(await rejectionOf(tasks.enqueueAsync("echo", 1, { [option]: text }))).toBeInstanceOf(
        OptionError,
      );
    }
    expect(thrownBy(() => tasks.list({ handler: text }))).toBeInstanceOf(OptionError);
    expect(thrownBy(() => tasks.setRate({ handler: text, tasksPerSecond: 1 }))).toBeInstanceOf(OptionError);
    expect(thrownBy(() => tasks.get(text))).toBeInstanceOf(OptionError);
    expect(await rejectionOf(tasks.cancel(text))).toBeInstanceOf(OptionError);
    expect(Object.keys(tasks.stats().queues)).toEqual(["default"]);
  });
});

describe("Z4: payloads that are not what they seem", () => {
  test("one with a then is not awaited, wherever it comes from and wherever it goes", async () => {
    let calls = 0;
    const thenable = { then: () => void calls++ };
    const handlers = defineHandlers({
      sync: echo,
      late: { ...echo, payload: answering(async (value) => ({ value })) },
    });
    const { tasks } = createManager({ handlers });
    expect((await tasks.enqueue("sync", thenable).result())[0]).toBe(thenable);
    expect((await tasks.execute("sync", thenable))[0]).toBe(thenable);
    expect((await tasks.execute("late", thenable))[0]).toBe(thenable);
    expect(calls).toBe(0);
  });

  test("a key __proto__ is refused by json(), and sets nobody's prototype by another schema", async () => {
    const { tasks } = createCounted();
    const payload = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}') as object;
    const error = thrownBy(() => tasks.enqueue("json", payload)) as PayloadError;
    expect(error).toBeInstanceOf(PayloadError);
    expect(error.issues[0]?.path).toContain("__proto__");
    await tasks.execute("echo", payload);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("getters and proxies that throw are refused as payloads, and nothing is kept", async () => {
    const { tasks, asked } = createCounted();
    const hostile = () => {
      throw new Error("hostile");
    };
    const getter = Object.defineProperty({}, "a", { get: hostile, enumerable: true });
    const traps: ProxyHandler<object>[] = [
      { ownKeys: hostile },
      { getPrototypeOf: hostile },
      { get: hostile },
    ];
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const payloads = [getter, revoked.proxy, ...traps.map((trap) => new Proxy({ a: 1 }, trap))];
    for (const payload of payloads) {
      expect(thrownBy(() => tasks.enqueue("echo", payload))).toBeInstanceOf(PayloadError);
      expect(thrownBy(() => tasks.enqueue("json", payload))).toBeInstanceOf(PayloadError);
      expect(await rejectionOf(tasks.enqueueAsync("json", payload))).toBeInstanceOf(PayloadError);
    }
    expect(asked()).toBe(0);
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  test("what a getter says later than at the check is the user's own: a payload is not copied", async () => {
    const { tasks } = createCounted();
    let reads = 0;
    const payload = Object.defineProperty({}, "count", { get: () => ++reads, enumerable: true });
    const [seen] = await tasks.execute("echo", payload);
    expect(seen).toBe(payload);
  });

  test("a getter that enqueues, cancels or stops finds a sound manager", async () => {
    const { tasks } = createCounted();
    const payload = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        tasks.enqueue("echo", 1, { id: "inner" });
        void tasks.cancel("inner");
        void tasks.stopNow();
        return 1;
      },
    });
    expect(thrownBy(() => tasks.enqueue("echo", payload))).toMatchObject({ code: "MILLRACE_NOT_ACCEPTING" });
    await tasks.stopNow();
    expect(tasks.stats().total).toMatchObject({ enqueued: 1, cancelled: 1 });
  });
});

describe("Z6: what is too deep, too wide or endless is refused before its schema sees it", () => {
  const deep = () => {
    let value: unknown = 1;
    for (let level = 0; level < 100_000; level++) value = level % 2 === 0 ? [value] : { a: value };
    return value;
  };
  const cyclic = () => {
    const value: Record<string, unknown> = { list: [] };
    (value["list"] as unknown[]).push({ value });
    return value;
  };
  const wide = () => {
    const value: Record<string, number> = {};
    for (let index = 0; index < 1_000_000; index++) value[`k${index}`] = index;
    return value;
  };
  const shared = () => {
    let value: unknown = "x";
    for (let level = 0; level < 60; level++) value = [value, value];
    return value;
  };
  const unreadable = () => ({
    list: [
      {
        get value() {
          throw new Error("not for you");
        },
      },
    ],
  });
  const large = "takes more than 1048576 bytes (maxPayloadBytes)";
  const cases: readonly (readonly [string, () => unknown, string])[] = [
    ["100,000 levels", deep, "is nested deeper than 1000 levels, or cyclic"],
    ["a cycle", cyclic, "is nested deeper than 1000 levels, or cyclic"],
    ["a million keys", wide, large],
    ["parts that are shared 2 to the 60 times", shared, large],
    ["a sparse array of 2 to the 32 places", () => new Array(2 ** 32 - 1), large],
    ["a text of 200 MB", () => "x".repeat(200_000_000), large],
    ["a bigint of a million digits", () => 1n << 3_300_000n, large],
    ["a getter that throws", unreadable, "cannot be read: a getter or a proxy in it threw"],
  ];

  test.each(cases)("%s", async (_, make, problem) => {
    const { tasks, asked } = createCounted();
    const payload = make();
    for (const name of ["echo", "json"] as const) {
      const error = thrownBy(() => tasks.enqueue(name, payload as object)) as PayloadError;
      expect(error).toBeInstanceOf(PayloadError);
      expect(error.issues).toEqual([{ path: "payload", message: problem }]);
      expect(await rejectionOf(tasks.execute(name, payload as object))).toBeInstanceOf(PayloadError);
    }
    expect(asked()).toBe(0);
    expect(tasks.stats().total.enqueued).toBe(0);
  });
});

describe("Z7: the limit of a payload is exact, in bytes of UTF-8", () => {
  const kinds: readonly (readonly [string, (bytes: number) => unknown])[] = [
    ["one-byte characters", (bytes) => "a".repeat(bytes - 2)],
    [
      "three-byte characters",
      (bytes) => "€".repeat(Math.floor((bytes - 2) / 3)) + "a".repeat((bytes - 2) % 3),
    ],
    [
      "pairs of four bytes",
      (bytes) => "😀".repeat(Math.floor((bytes - 2) / 4)) + "a".repeat((bytes - 2) % 4),
    ],
    ["escapes", (bytes) => "\n".repeat(Math.floor((bytes - 2) / 2)) + "a".repeat((bytes - 2) % 2)],
    ["members", (bytes) => ({ é: "a".repeat(bytes - 9) })],
  ];

  test.each(kinds)("%s", async (_, make) => {
    for (const limit of [64, 1_000]) {
      const { tasks, asked } = createCounted(limit);
      for (const bytes of [limit - 1, limit, limit + 1])
        expect(Buffer.byteLength(JSON.stringify(make(bytes)))).toBe(bytes);
      for (const bytes of [limit - 1, limit]) await tasks.execute("echo", make(bytes));
      expect(asked()).toBe(2);
      const error = thrownBy(() => tasks.enqueue("echo", make(limit + 1))) as PayloadError;
      expect(error.message).toContain(`more than ${limit} bytes`);
      expect(asked()).toBe(2);
    }
  });

  test("is 1 MiB by default", async () => {
    const { tasks } = createCounted();
    await tasks.execute("echo", "a".repeat(1_048_574));
    expect(thrownBy(() => tasks.enqueue("echo", "a".repeat(1_048_575)))).toBeInstanceOf(PayloadError);
  });
});

describe("what is left out", () => {
  test("holes in a list are refused as what is not there", () => {
    const { tasks } = createManager();
    const refused = (entries: unknown) => thrownBy(() => tasks.enqueueMany(entries as []));
    expect(refused(new Array(2))).toBeInstanceOf(OptionError);
    expect(refused(Object.assign([() => 1], { length: 2 }))).toBeInstanceOf(OptionError);
    expect(thrownBy(() => createManager({ middleware: new Array(1) }))).toBeInstanceOf(OptionError);
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  test("holes in what call middleware passes on are refused too", () => {
    const { tasks } = createManager({
      middleware: [{ call: (request, next) => next({ ...request, tasks: new Array(1) }) }],
    });
    expect(thrownBy(() => tasks.enqueue(() => 1))).toBeInstanceOf(MiddlewareError);
    expect(tasks.stats().total.enqueued).toBe(0);
  });

  test("an entry that is an instance of a class, which hides what it inherits, is refused", () => {
    class Entry {
      payload = anything;
      run() {
        return 1;
      }
    }
    expect(thrownBy(() => defineHandlers({ entry: new Entry() }))).toBeInstanceOf(OptionError);
  });
});
