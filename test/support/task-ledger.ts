import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Phase =
  | ("started" | "aborted" | "ended")
  | ("finished" | "leaseLost" | "ackUnknown" | "interrupted" | "deadLettered")
  | "fault";

/** What a worker process wrote down, before or after it told anybody else. */
export interface LedgerEntry {
  readonly phase: Phase;
  readonly id: string;
  readonly pid: number;
  readonly at: number;
  readonly attempt?: number;
  readonly token?: number;
  readonly error?: string;
}

/** What all ledgers and the log of the producer come to. */
export interface LedgerVerdict {
  /** Accepted, and no handler ran to its end. */
  readonly lost: readonly string[];
  /** Ran, and nobody had tried to enqueue it. */
  readonly unexpected: readonly string[];
  /** Whatever else must not be, one line each. */
  readonly wrong: readonly string[];
  readonly starts: number;
  /** Starts that another one of the same task followed, by what explains them. */
  readonly duplicates: Readonly<Record<DuplicateCause, number>>;
}

export type DuplicateCause = "killed" | "leaseLost" | "ackUnknown" | "interrupted";

/** The folder in which worker processes write down what they do, outside of them and of the store. */
export class TaskLedger implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<TaskLedger> {
    return new TaskLedger(await mkdtemp(join(tmpdir(), "millrace-ledger-")));
  }

  async entries(): Promise<readonly LedgerEntry[]> {
    const names = await readdir(this.folder);
    const texts = await Promise.all(names.map((name) => readFile(join(this.folder, name), "utf8")));
    // What comes after the last line break was cut off by a kill.
    const lines = texts.flatMap((text) => text.split("\n").slice(0, -1));
    return lines.map((line) => JSON.parse(line) as LedgerEntry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface LedgerCase {
  readonly entries: readonly LedgerEntry[];
  /** Of which the store has said that it has them. */
  readonly accepted: ReadonlySet<string>;
  /** Those that were handed to the store, whatever it has said. */
  readonly offered: ReadonlySet<string>;
  /** Processes that were killed. */
  readonly killed: ReadonlySet<number>;
}

/** Joins what the workers wrote down with what the producer was told. */
export function judgeLedger({ entries, accepted, offered, killed }: LedgerCase): LedgerVerdict {
  const byId = new Map<string, LedgerEntry[]>();
  const wrong: string[] = [];
  for (const entry of entries) {
    if (entry.phase === "fault") wrong.push(`process ${entry.pid} met ${entry.error}`);
    else byId.set(entry.id, [...(byId.get(entry.id) ?? []), entry]);
  }
  const duplicates = { killed: 0, leaseLost: 0, ackUnknown: 0, interrupted: 0 };
  for (const [id, of] of byId) {
    wrong.push(...judgeEnds(id, of));
    for (const cause of causesOf(of, killed)) {
      if (cause === undefined) wrong.push(`${id} was started again, and nothing explains it: ${told(of)}`);
      else duplicates[cause]++;
    }
  }
  const isEnded = (id: string) => byId.get(id)?.some(({ phase }) => phase === "ended") === true;
  return {
    lost: [...accepted].filter((id) => !isEnded(id)),
    unexpected: [...byId.keys()].filter((id) => !offered.has(id)),
    wrong,
    starts: entries.filter(({ phase }) => phase === "started").length,
    duplicates,
  };
}

/** A task ends once, by the lease that was given last; leases are told apart; a lost run is no attempt. */
function judgeEnds(id: string, entries: readonly LedgerEntry[]): readonly string[] {
  const wrong: string[] = [];
  const starts = entries.filter(({ phase }) => phase === "started");
  const finished = entries.filter(({ phase }) => phase === "finished");
  const tokens = starts.map(({ token = 0 }) => token);
  if (new Set(tokens).size < tokens.length) wrong.push(`${id} has leases with one token: ${told(entries)}`);
  if (finished.length > 1) wrong.push(`${id} was finished twice: ${told(entries)}`);
  if (finished.some(({ token }) => token !== Math.max(...tokens)))
    wrong.push(`${id} was finished by a lease that was over: ${told(entries)}`);
  if (starts.some(({ attempt }) => attempt !== 1)) wrong.push(`${id} has used attempts: ${told(entries)}`);
  if (entries.some(({ phase }) => phase === "deadLettered")) wrong.push(`${id} is a dead letter`);
  return wrong;
}

/** For each start but the last one, why it was not the last one; undefined where nothing says so. */
function causesOf(
  entries: readonly LedgerEntry[],
  killed: ReadonlySet<number>,
): readonly (DuplicateCause | undefined)[] {
  const starts = entries.filter(({ phase }) => phase === "started");
  const superseded = starts.sort((a, b) => (a.token ?? 0) - (b.token ?? 0)).slice(0, -1);
  const spare = entries.filter(({ phase }) => isCause(phase)).map((entry) => ({ ...entry }));
  return superseded.map(({ pid }) => {
    const at = spare.findIndex((entry) => entry.pid === pid);
    const [cause] = at === -1 ? [] : spare.splice(at, 1);
    return (cause?.phase as DuplicateCause | undefined) ?? (killed.has(pid) ? "killed" : undefined);
  });
}

function isCause(phase: Phase): boolean {
  return phase === "leaseLost" || phase === "ackUnknown" || phase === "interrupted";
}

function told(entries: readonly LedgerEntry[]): string {
  return JSON.stringify(entries);
}
