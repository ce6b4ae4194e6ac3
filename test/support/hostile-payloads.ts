import { gzipSync } from "node:zlib";
import protobuf from "protobufjs";
import { expect, onTestFinished, test } from "vitest";
import { protobufCodec } from "../../src/adapters/protobuf/index.js";
import {
  type AnyHandlers,
  defineHandlers,
  json,
  type NewTask,
  PayloadError,
  ResultError,
  type StoredOutcome,
  TaskManager,
  type TaskManagerOptions,
} from "../../src/index.js";
import { Parcel } from "../fixtures/parcel.js";
import { crowding } from "./crowding.js";
import type { Connect } from "./durable-programs.js";
import { rejectionOf } from "./manual-manager.js";

/** For what has to be refused before it costs much: to read all of it would take longer. */
const SOON_MS = 1_000;

const MEBIBYTE = 1_048_576;

const utf8 = (text: string) => new TextEncoder().encode(text);

/** A process in real time, which is stopped when the test is over. */
function startManager<H extends AnyHandlers>(connect: Connect, options: TaskManagerOptions<H>) {
  const tasks = new TaskManager<H>({ backend: connect(), ...options });
  onTestFinished(async () => {
    await tasks.stopNow();
  });
  return tasks;
}

/** As a process of another version, or of another language, may have stored it. */
function storedTask(id: string, payload: Uint8Array, envelope = '{"v":1,"maxAttempts":1}'): NewTask {
  return {
    ...{ id: `default:${id}`, handler: "work", payload, envelope, priority: 0, weight: 1, cost: 1 },
    ...{ maxDeliveries: 3, delayMs: 0, runAt: undefined, idempotency: undefined },
  };
}

async function timed<T>(call: () => Promise<T>): Promise<readonly [T, tookMs: number]> {
  const since = performance.now();
  return [await call(), performance.now() - since];
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

function cyclic(): unknown {
  const value: Record<string, unknown> = {};
  value["self"] = [value];
  return value;
}

function manyKeys(): unknown {
  return Object.fromEntries(Array.from({ length: 1_000_000 }, (_, index) => [`k${index}`, 0]));
}

/** What must not be costly, nor get into a store, nor out of it to a handler. */
export function hostilePayloads(open: () => Connect): void {
  describeShapes(open);
  describeSizes(open);
  describeProtobuf(open);
}

function describeShapes(open: () => Connect): void {
  test.for([
    ["100,000 levels deep", () => nested(100_000)],
    ["a million keys wide", manyKeys],
    ["cyclic", cyclic],
  ] as const)(
    "Z6: what is %s is refused before it costs much, and not kept",
    {
      timeout: 60_000,
    },
    async ([, make]) => {
      const bad = make();
      const handlers = defineHandlers({ work: { payload: json(), run: () => {} } });
      const connect = open();
      const tasks = startManager(connect, { handlers });
      const listing = performance.now();
      Object.keys(bad as object); // which nobody can do without who has to look at its members
      const listingMs = performance.now() - listing;
      const [error, tookMs] = await timed(() => rejectionOf(tasks.enqueueDurable("work", bad as never)));
      expect(error).toBeInstanceOf(PayloadError);
      expect((error as Error).message).toMatch(
        /payload: (takes more than 1048576 bytes \(maxPayloadBytes\)|is nested deeper than 1000 levels, or cyclic)$/,
      );
      expect(tookMs).toBeLessThan(SOON_MS * crowding() + 2 * listingMs);
      const [counts] = await connect().inspector.counts(["default"]);
      expect(counts).toMatchObject({ ready: 0, delayed: 0, leased: 0, finished: 0 });
    },
  );

  test("Z6: nothing of a batch is kept in which one is so", async () => {
    const handlers = defineHandlers({ work: { payload: json(), run: () => {} } });
    const connect = open();
    const tasks = startManager(connect, { handlers });
    for (const bad of [nested(100_000), cyclic()]) {
      const many = tasks.enqueueDurableMany([
        ["work", 1],
        ["work", bad as never],
      ]);
      expect(await rejectionOf(many)).toBeInstanceOf(PayloadError);
    }
    const [counts] = await connect().inspector.counts(["default"]);
    expect(counts).toMatchObject({ ready: 0, delayed: 0, leased: 0, finished: 0 });
  });

  test("Z6: what another process has stored so is refused before it is parsed, and is a dead letter", async () => {
    const seen: unknown[] = [];
    const handlers = defineHandlers({
      work: {
        payload: json(),
        run: (payload: unknown) => void seen.push(payload),
        maxPayloadBytes: MEBIBYTE,
      },
    });
    const connect = open();
    const store = connect();
    const deep = (levels: number) => utf8("[".repeat(levels) + "]".repeat(levels));
    const wide = utf8(`{${Array.from({ length: 200_000 }, (_, n) => `"k${n}":0`).join()}}`);
    await store.enqueue("r", [
      storedTask("deep", deep(100_000)),
      storedTask("wide", wide),
      storedTask("sound", deep(1_000)),
    ]);
    const tasks = startManager(connect, { handlers });
    const ends = ["deep", "wide"].map((id) => rejectionOf(tasks.handle("work", `default:${id}`).result()));
    await tasks.handle("work", "default:sound").result();
    const [errors, tookMs] = await timed(() => Promise.all(ends));
    expect(errors).toEqual([expect.any(PayloadError), expect.any(PayloadError)]);
    expect(errors.map((error) => (error as Error).message)).toEqual([
      expect.stringContaining("nested deeper than 1000"),
      expect.stringContaining("takes more than 1048576 bytes"),
    ]);
    expect(tookMs).toBeLessThan(SOON_MS * crowding());
    expect(seen).toHaveLength(1);
    const letters = await store.inspector.read(["default:deep", "default:wide"]);
    expect(letters.map((letter) => letter?.place)).toEqual(["dead", "dead"]);
  });

  test("Z8: nothing that is stored is ever unpacked: a compressed bomb is bytes like others", async () => {
    const handlers = defineHandlers({ work: { payload: json(), run: () => {} } });
    const connect = open();
    const store = connect();
    const bomb = gzipSync(Buffer.alloc(64 * MEBIBYTE));
    expect(bomb.length).toBeLessThan(MEBIBYTE);
    await store.enqueue("r", [storedTask("bomb", bomb)]);
    const tasks = startManager(connect, { handlers });
    const error = await rejectionOf(tasks.handle("work", "default:bomb").result());
    expect(error).toBeInstanceOf(PayloadError);
    expect((error as Error).message).toContain("is not stored as UTF-8");
    const [letter] = await store.inspector.read(["default:bomb"]);
    expect(letter?.payload).toHaveLength(bomb.length);
  });
}

function describeSizes(open: () => Connect): void {
  test("V12: a payload that is larger than its handler takes is never decoded, and is a dead letter", async () => {
    const decoded: number[] = [];
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) => {
          decoded.push(String(value).length);
          return { value: value as string };
        },
      },
    };
    const handlers = defineHandlers({
      work: { payload: schema, run: (text) => String(text).length, maxPayloadBytes: 1_000 },
    });
    const connect = open();
    const store = connect();
    const sizes = { fits: 998, larger: 999, huge: 4 * MEBIBYTE };
    for (const [id, size] of Object.entries(sizes))
      await store.enqueue(id, [storedTask(id, utf8(JSON.stringify("x".repeat(size))))]);
    const tasks = startManager(connect, { handlers });
    expect(await tasks.handle("work", "default:fits").result()).toBe(998);
    for (const id of ["larger", "huge"]) {
      const error = await rejectionOf(tasks.handle("work", `default:${id}`).result());
      expect(error).toBeInstanceOf(PayloadError);
      expect((error as Error).message).toContain("takes more than 1000 bytes (maxPayloadBytes)");
      expect((await store.inspector.read([`default:${id}`]))[0]).toMatchObject({ place: "dead" });
    }
    expect(decoded).toEqual([998]);
  });

  test("V12: an envelope without end is not read, and its task is a dead letter", async () => {
    const seen: string[] = [];
    const handlers = defineHandlers({
      work: { payload: json<string>(), run: (name: string) => void seen.push(name) },
    });
    const connect = open();
    const long = JSON.stringify({ v: 1, metadata: { text: "x".repeat(4 * MEBIBYTE) } });
    const deep = `{"v":1,"metadata":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    await connect().enqueue("r", [
      storedTask("long", utf8('"long"'), long),
      storedTask("deep", utf8('"deep"'), deep),
      storedTask("sound", utf8('"sound"')),
    ]);
    const tasks = startManager(connect, { handlers });
    for (const id of ["long", "deep"]) {
      const error = await rejectionOf(tasks.handle("work", `default:${id}`).result());
      expect(error).toBeInstanceOf(PayloadError);
      expect((error as Error).message.length).toBeLessThan(1_000);
    }
    await tasks.handle("work", "default:sound").result();
    expect(seen).toEqual(["sound"]);
  });

  test("V12: what was stored as the end of a task, and is none, gives an error of bounded size", async () => {
    const handlers = defineHandlers({ work: { payload: json<string>(), maxResultBytes: 1_000 } });
    const connect = open();
    const store = connect();
    const junk = "x".repeat(4 * MEBIBYTE);
    const completed = { state: "completed", reason: undefined, error: undefined, charged: true } as const;
    const failed = { state: "failed", reason: "error", value: undefined, charged: true } as const;
    const ends = new Map<string, StoredOutcome>([
      ["large", { ...completed, value: utf8(JSON.stringify(junk)) }],
      ["deep", { ...completed, value: utf8("[".repeat(500)) }],
      ["error", { ...failed, error: junk }],
      ["nested", { ...failed, error: "[".repeat(100_000) }],
    ]);
    const ids = [...ends.keys()];
    const given = ids.map((id) => storedTask(id, utf8('""')));
    await store.enqueue("r", given);
    const { tasks: leases } = await store.claim({
      ...{ requestId: "c", queue: "default", leaseMs: 60_000, slots: [10], permits: 10 },
      handlers: [{ name: "work", lane: 0, room: 10 }],
    });
    const acks = leases.map(({ id, token }) => {
      const outcome = ends.get(id.slice("default:".length));
      if (outcome === undefined) throw new Error(`Nobody enqueued ${id}`);
      return { id, token, outcome, resultTtlMs: 60_000 };
    });
    expect(await store.ack(acks)).toEqual([true, true, true, true]);
    const tasks = startManager(connect, { handlers });
    const told = ids.map((id) => rejectionOf(tasks.handle("work", `default:${id}`).result()));
    const errors = (await Promise.all(told)) as Error[];
    expect(errors.slice(0, 2)).toEqual([expect.any(ResultError), expect.any(ResultError)]);
    for (const error of errors) {
      expect(error).toBeInstanceOf(Error);
      expect(error.message.length + String(error.stack).length).toBeLessThan(10_000);
    }
  });
}

function describeProtobuf(open: () => Connect): void {
  const { root } = protobuf.parse(`
    syntax = "proto3";
    package shop;
    message Mail { string to = 1; map<string, int32> counts = 2; Mail inner = 3; }`);
  const mail = root.lookupType("shop.Mail");

  test("V14: messages of protobufjs cross the store, of reflected and of generated types", async () => {
    const handlers = defineHandlers({
      send: { payload: protobufCodec<{ to: string }>(mail), run: ({ to }) => to },
      ship: {
        payload: protobufCodec(Parcel),
        result: protobufCodec(Parcel),
        run: ({ to, weight }) => new Parcel({ to, weight: weight + 1 }),
      },
    });
    const connect = open();
    const tasks = startManager(connect, { handlers });
    const producer = startManager(connect, { handlers, consume: false });
    const sent = await producer.enqueueDurable("send", { to: "Ann" });
    expect(await sent.result()).toBe("Ann");
    const shipped = await producer.enqueueDurable("ship", { to: "Bo", weight: 4 });
    const parcel = await shipped.result();
    expect(parcel).toBeInstanceOf(Parcel);
    expect(parcel).toMatchObject({ to: "Bo", weight: 5 });
    expect(tasks.stats().total).toMatchObject({ completed: 2 });
  });

  test("V14: bytes make no type and set no prototype: they are a message, or a dead letter", async () => {
    const seen: protobuf.Message[] = [];
    const handlers = defineHandlers({
      work: { payload: protobufCodec(mail), run: (message) => void seen.push(message as never) },
    });
    const connect = open();
    const store = connect();
    const entry = Buffer.from([0x0a, 9, ...Buffer.from("__proto__"), 0x10, 5]);
    const bytes = {
      pollutes: Buffer.from([0x12, entry.length, ...entry]),
      // A field that the type has not, with what describes a type: a name that would be code as an identifier.
      describes: Buffer.from([0x7a, CODE.length, ...Buffer.from(CODE)]),
      deep: deepMessage(100_000),
      cut: Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    };
    await store.enqueue(
      "r",
      Object.entries(bytes).map(([id, payload]) => storedTask(id, payload)),
    );
    const tasks = startManager(connect, { handlers });
    const end = (id: string) => tasks.handle("work", `default:${id}`).result();
    await Promise.all([end("pollutes"), end("describes")]);
    for (const message of seen) {
      expect(message).toBeInstanceOf(mail.ctor);
      expect(Object.getPrototypeOf(message)).toBe(mail.ctor.prototype);
    }
    expect(({} as { key?: unknown }).key).toBeUndefined();
    expect(root.lookup("shop")?.toJSON()).toMatchObject({ nested: { Mail: {} } });
    expect(Object.keys((root.lookup("shop") as protobuf.Namespace).nested ?? {})).toEqual(["Mail"]);
    for (const id of ["deep", "cut"]) {
      expect(await rejectionOf(end(id))).toBeInstanceOf(PayloadError);
      expect((await store.inspector.read([`default:${id}`]))[0]).toMatchObject({ place: "dead" });
    }
    expect(seen).toHaveLength(2);
  });
}

const CODE = "constructor(){process.exit(1)}//";

/** `Mail` in `Mail`, so many times: written from the inside. */
function deepMessage(levels: number): Uint8Array {
  const lengths: number[][] = [];
  let size = 0;
  for (let level = 0; level < levels; level++) {
    const head = [0x1a];
    let left = size;
    for (; left > 127; left = Math.floor(left / 128)) head.push((left % 128) + 128);
    head.push(left);
    lengths.push(head);
    size += head.length;
  }
  return Uint8Array.from(lengths.reverse().flat());
}
