import assert from "node:assert/strict";
import type { NewTask } from "../../../ports/backend.js";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";
import { completed, handlers, newTask, STORED_ERROR, sameBytes } from "./stored-things.js";

const text = (characters: string) => new TextEncoder().encode(characters);

/** Every byte, in both directions, what is no text, and what looks like something to who reads too much. */
const BYTES: Readonly<Record<string, Uint8Array>> = {
  nothing: new Uint8Array(),
  "every byte": Uint8Array.from({ length: 512 }, (_, index) => (index < 256 ? index : 511 - index)),
  "what is no UTF-8": new Uint8Array([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80, 0x00]),
  "text beyond ASCII": text("ä € 😀 \u2028 \u0000"),
  "a number beyond 2^53": text("9007199254740993"),
  "an empty list": text("[]"),
  "what a protocol could mean": text("$-1\r\n*0\r\n:1\r\n-ERR\r\n"),
  "part of a buffer": new Uint8Array(new Uint8Array([9, 8, 7, 6]).buffer, 1, 2),
  "a mebibyte": new Uint8Array(2 ** 20).map((_, index) => (index * 7919) >> 3),
};

async function keepsBytes(trial: BackendTrial, bytes: Uint8Array): Promise<void> {
  await trial.keep("q:a", { payload: bytes });
  sameBytes((await trial.find("q:a")).payload, bytes, "the payload that is read");
  const lease = await trial.claimOne();
  sameBytes(lease.payload, bytes, "the payload that is claimed");
  await trial.extend(lease, { progress: bytes });
  sameBytes((await trial.find("q:a")).progress, bytes, "the progress");
  await trial.ack(lease, { outcome: completed(bytes) });
  sameBytes((await trial.find("q:a")).outcome?.value, bytes, "the value");
}

/** What is large is left out, and nothing else. */
async function readsWithoutPayloads(trial: BackendTrial): Promise<void> {
  const { inspector } = trial.backend;
  const payload = text("large ".repeat(1_000));
  const ids = ["q:ready", "q:late", "q:held", "q:done"];
  await trial.keep("q:done", { payload });
  await trial.ack(await trial.claimOne(), { outcome: completed(payload) });
  await trial.keep("q:held", { payload });
  await trial.claimOne();
  await trial.keep("q:ready", { payload });
  await trial.keep("q:late", { payload, delayMs: 3_600_000 });
  const whole = await inspector.read(ids);
  for (const task of whole.slice(0, 3)) sameBytes(task?.payload, payload, "the payload that is asked for");
  const without = whole.map((task) => task && { ...task, payload: undefined });
  assert.deepEqual(await inspector.read(ids, { payloads: false }), without, "all but the payloads");
}

/** What an object has of itself, what an await would look for, and what keys of stores are made of. */
const NAMES: readonly string[] = [
  ...["__proto__", "constructor", "constructor.prototype", "toString", "hasOwnProperty", "then"],
  ...["a:b", "a:b:c", "::", "0", "-1", "1e400", "undefined", "null", "ready", "dead", "leased"],
];

async function bearsNames(trial: BackendTrial): Promise<void> {
  for (const name of NAMES) {
    const queue = name.replaceAll(":", ".");
    const id = `${queue}:${name}`;
    const idempotency = { key: name, ttlMs: 60_000, onDuplicate: "keep" } as const;
    await trial.keep(id, { handler: name, idempotency });
    const lease = await trial.claimOne({ queue, handlers: handlers(name) });
    assert.deepEqual([lease.id, lease.handler], [id, name]);
    const other = await trial.enqueue(newTask(`${id}-2`, { handler: name, idempotency }));
    assert.deepEqual(other, [{ outcome: "duplicate", id }]);
    assert(await trial.ack(lease));
    assert.equal(await trial.placeOf(id), "finished");
    assert.deepEqual(await trial.counts(queue), { finished: 1 });
  }
}

const TEXTS: readonly string[] = [
  ...["", "{}", "[]", '{"n":9007199254740993,"m":1e400,"z":-0,"e":[]}', '{"__proto__":{"then":1}}'],
  ...["ä € 😀 \u2028\u0000", "line\r\nline", "*1\r\n$4\r\nPING\r\n", "x".repeat(65_536)],
];

async function keepsTexts(trial: BackendTrial): Promise<void> {
  for (const [index, envelope] of TEXTS.entries()) {
    const id = `q:${index}`;
    await trial.keep(id, { envelope });
    assert.equal((await trial.find(id)).envelope, envelope);
    const lease = await trial.claimOne();
    assert.equal(lease.envelope, envelope);
    const error = envelope === "" ? STORED_ERROR : envelope;
    assert(await trial.nack(lease, { kind: "retry", error }));
    assert.equal((await trial.find(id)).error, error);
    assert(await trial.bury(await trial.claimOne(), { error }));
    const { outcome, error: kept } = await trial.find(id);
    assert.deepEqual([outcome?.error, kept], [error, error]);
  }
}

const NUMBERS: readonly Partial<NewTask>[] = [
  { priority: 1_000_000, weight: 1_000, cost: 0.1, maxDeliveries: 1 },
  { priority: -1_000_000, weight: 1, cost: 1e-3, maxDeliveries: 1_000_000 },
  { priority: -1, weight: 999, cost: 123_456.789, maxDeliveries: 2 },
];

async function keepsNumbers(trial: BackendTrial): Promise<void> {
  for (const [index, numbers] of NUMBERS.entries()) {
    const id = `q:${index}`;
    await trial.keep(id, numbers);
    const { maxDeliveries, ...told } = numbers;
    const pick = (from: object) =>
      Object.fromEntries(Object.entries(from).filter(([key]) => Object.hasOwn(told, key)));
    assert.deepEqual(pick(await trial.claimOne()), told);
  }
}

/** What the store keeps comes back as it was. */
export const BYTES_RULES: readonly BackendRule[] = [
  ...Object.entries(BYTES).map(
    ([what, bytes]): BackendRule => ({
      name: `keeps payloads, progress and values as they are: ${what} (Z5, Z7)`,
      check: (trial) => keepsBytes(trial, bytes),
    }),
  ),
  { name: "keeps envelopes and errors as they are, whatever text that is (Z5)", check: keepsTexts },
  { name: "keeps numbers as they are (Z5)", check: keepsNumbers },
  { name: "reads tasks without their payloads", check: readsWithoutPayloads },
  { name: "bears ids, queues, handlers and keys of any name (Z4)", check: bearsNames },
  {
    name: "keeps what a payload was, whatever becomes of the array",
    async check(trial) {
      const payload = new Uint8Array([1, 2, 3]);
      const kept = trial.enqueue(newTask("q:a", { payload }));
      await kept;
      payload.fill(9);
      const { payload: given } = await trial.claimOne({ leaseMs: trial.subject.leaseMs });
      sameBytes(given, new Uint8Array([1, 2, 3]));
      given.fill(9);
      await trial.expire();
      sameBytes((await trial.claimOne()).payload, new Uint8Array([1, 2, 3]));
    },
  },
];
