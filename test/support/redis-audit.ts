import type { Redis } from "ioredis";

/** A record as far as the audit looks at it. */
interface AuditedRecord {
  readonly key: string;
  readonly rest: string;
  readonly ttlMs: number;
  /** `q` where it is damaged, and was set aside. */
  readonly place: string;
  readonly handler: string;
  readonly outcomeUntil: number;
  readonly hasBeside: boolean;
}

/** Keys with a time to live, or of which there is one for each queue. */
const BOUNDED = /^(claim|strange):/;
const OF_THE_QUEUE = ["meta", "handlers", "quarantine"];

/**
 * Looks at every key of a prefix: each id in an index has a whole record, each record is in exactly one index,
 * that of its place, and nothing is there that nobody would ever remove.
 * @returns one line for whatever is not so
 */
export async function auditRedis(client: Redis, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const some of client.scanStream({ match: `{${prefix}:*`, count: 1_000 }))
    keys.push(...(some as string[]));
  const queues = new Map<string, string[]>();
  const complaints: string[] = [];
  for (const key of new Set(keys)) {
    const [, start, name] = key.match(/^(\{.*?\}:)(.*)$/s) ?? [];
    if (start === undefined || name === undefined) complaints.push(`${key} is none of ours`);
    else queues.set(start, [...(queues.get(start) ?? []), name]);
  }
  for (const [start, names] of queues) complaints.push(...(await auditQueue(client, start, names)));
  return complaints;
}

async function auditQueue(
  client: Redis,
  start: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const complaints: string[] = [];
  const records = new Map<string, AuditedRecord>();
  for (const name of names.filter((one) => one.startsWith("t:"))) {
    const key = `${start}${name}`;
    const [bytes, ttlMs] = await Promise.all([client.getBuffer(key), client.pttl(key)]);
    if (bytes === null || ttlMs === -2) continue; // it has expired meanwhile
    const record = toAudited(key, name.slice(2), bytes, ttlMs);
    records.set(record.rest, record);
    if (record.place === "q" && ttlMs < 0) complaints.push(`${key} is no whole record`);
  }
  const found = new Map<string, string[]>();
  for (const name of names) {
    for (const rest of await idsOf(client, start, name)) {
      found.set(rest, [...(found.get(rest) ?? []), name]);
      if (!records.has(rest)) complaints.push(`${start}${name} has ${rest}, of which there is no record`);
    }
    complaints.push(...(await auditOther(client, start, name, records)));
  }
  const { time } = await serverTime(client);
  for (const record of records.values()) complaints.push(...auditRecord(record, found, time));
  return complaints;
}

/** The ids that an index has. */
async function idsOf(client: Redis, start: string, name: string): Promise<readonly string[]> {
  const isOrdered = name === "delayed" || name.startsWith("ready:");
  if (!isOrdered && !["leased", "dead", "finished"].includes(name)) return [];
  const members = await client.zrange(`${start}${name}`, "0", "-1");
  return isOrdered ? members.map((member) => member.slice(12)) : members;
}

/** By the table in `record-format.ts`. */
function toAudited(key: string, rest: string, bytes: Buffer, ttlMs: number): AuditedRecord {
  const damaged = { key, rest, ttlMs, place: "q", handler: "", outcomeUntil: 0, hasBeside: false };
  if (bytes.length < 87) return damaged;
  const place = bytes.toString("latin1", 0, 1);
  const lengths = [bytes.readUInt8(75), bytes.readUInt16BE(76), bytes.readUInt8(78), bytes.readUInt32BE(79)];
  const payloadAt = lengths.reduce((sum, length) => sum + length, 87);
  const isWhole =
    place === "f" ? bytes.length > payloadAt : bytes.length === payloadAt + bytes.readUInt32BE(83);
  if (!/[rdblxf]/.test(place) || !isWhole) return damaged;
  const handler = bytes.toString("latin1", 87, 87 + (lengths[0] ?? 0));
  const hasBeside = bytes.toString("latin1", 2, 3) === "x";
  return { key, rest, ttlMs, place, handler, outcomeUntil: bytes.readUIntBE(34, 6), hasBeside };
}

function auditRecord(
  { key, rest, place, handler, outcomeUntil, ttlMs }: AuditedRecord,
  found: ReadonlyMap<string, readonly string[]>,
  time: number,
): readonly string[] {
  const names = found.get(rest) ?? [];
  const isForgotten = place === "f" && outcomeUntil <= time;
  const expected = place === "q" ? undefined : indexOf(place, handler);
  const complaints: string[] = [];
  const isWhereItBelongs = names.length === 1 && names[0] === expected;
  const isNowhere = names.length === 0 && (isForgotten || place === "q");
  if (!isWhereItBelongs && !isNowhere)
    complaints.push(`${key} is ${place}, and in ${names.join() || "nothing"}`);
  const ends = place === "f" || place === "q";
  if (ends !== ttlMs >= 0) complaints.push(`${key} is ${place}, and has a time to live of ${ttlMs}`);
  return complaints;
}

function indexOf(place: string, handler: string): string {
  const names: Readonly<Record<string, string>> = {
    ...{ r: `ready:${handler}`, d: "delayed", b: "delayed", l: "leased", x: "dead", f: "finished" },
  };
  return names[place] ?? "no place";
}

async function auditOther(
  client: Redis,
  start: string,
  name: string,
  records: ReadonlyMap<string, AuditedRecord>,
): Promise<readonly string[]> {
  const key = `${start}${name}`;
  const isKnown = OF_THE_QUEUE.includes(name) || /^(t|ready):/.test(name);
  if (isKnown || ["delayed", "leased", "dead", "finished"].includes(name)) return [];
  const ttlMs = await client.pttl(key);
  if (name.startsWith("x:")) return auditBeside(key, records.get(name.slice(2)), ttlMs);
  if (ttlMs !== -1) return [];
  if (BOUNDED.test(name)) return [`${key} has no time to live`];
  if (!name.startsWith("key:")) return [`${key} is none of ours`];
  const holder = await client.get(key);
  const place = records.get(holder ?? "")?.place ?? "f";
  return place === "f" ? [`${key} is held by ${holder}, which does not live`] : [];
}

/** What is beside a record lives as long as that. */
function auditBeside(key: string, record: AuditedRecord | undefined, ttlMs: number): readonly string[] {
  if (ttlMs === -2) return [];
  if (record === undefined) return [`${key} has no record`];
  if (!record.hasBeside) return [`${key} is not known to its record`];
  return ttlMs >= 0 === (record.place === "f") ? [] : [`${key} has a time to live of ${ttlMs}`];
}

async function serverTime(client: Redis): Promise<{ readonly time: number }> {
  const [seconds, micros] = await client.time();
  return { time: Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) };
}
