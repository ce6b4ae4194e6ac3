import type { Redis } from "ioredis";

/** A record as far as the audit looks at it. */
interface AuditedRecord {
  readonly key: string;
  readonly rest: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly ttlMs: number;
}

const NEEDED = ["h", "p", "s", "n"];

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
    const [fields, ttlMs] = await Promise.all([client.hgetall(key), client.pttl(key)]);
    const record = { key, rest: name.slice(2), fields, ttlMs };
    if (ttlMs === -2) continue; // it has expired meanwhile
    records.set(record.rest, record);
    const missing = NEEDED.filter((field) => fields[field] === undefined);
    if (missing.length > 0 && fields["p"] !== "q") complaints.push(`${key} lacks ${missing.join(" ")}`);
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

function auditRecord(
  { key, rest, fields, ttlMs }: AuditedRecord,
  found: ReadonlyMap<string, readonly string[]>,
  time: number,
): readonly string[] {
  const place = fields["p"] ?? "";
  const names = found.get(rest) ?? [];
  const isForgotten = place === "f" && Number(fields["ou"]) <= time;
  const expected = place === "q" ? undefined : indexOf(place, fields["h"] ?? "");
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
  if (ttlMs !== -1) return [];
  if (BOUNDED.test(name)) return [`${key} has no time to live`];
  if (!name.startsWith("key:")) return [`${key} is none of ours`];
  const holder = await client.get(key);
  const place = records.get(holder ?? "")?.fields["p"] ?? "f";
  return place === "f" ? [`${key} is held by ${holder}, which does not live`] : [];
}

async function serverTime(client: Redis): Promise<{ readonly time: number }> {
  const [seconds, micros] = await client.time();
  return { time: Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000) };
}
