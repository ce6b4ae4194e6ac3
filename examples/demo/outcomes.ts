import type { TaskHandle, TaskManager } from "millrace";
import type { Digest } from "./digest.ts";
import { Histogram } from "./histogram.ts";
import { KINDS, type Kind } from "./kinds.ts";

/** Something that went wrong with one file or folder. */
export interface Complaint {
  readonly path: string;
  readonly error: string;
}

export interface NamedDigest extends Digest {
  readonly path: string;
}

/** Complaints are all counted, but no more of them than this are kept. */
const MAX_KEPT = 5;

/**
 * What has become of the files so far. Its size does not depend on their number: it holds sums, histograms, the
 * first few complaints, and a promise for each task that has not ended, of which the manager bounds the number.
 */
export class Outcomes {
  bytes = 0;
  gzipBytes = 0;
  unreadableFolders = 0;
  largest: NamedDigest | undefined;
  readonly complaints: Complaint[] = [];
  readonly waits = createHistograms();
  readonly runs = createHistograms();
  readonly #tasks: TaskManager;
  readonly #open = new Set<Promise<void>>();

  constructor(tasks: TaskManager) {
    this.#tasks = tasks;
  }

  /** Waits for the end of a task in the background, and keeps nothing of it but the numbers. */
  follow(handle: TaskHandle<Digest>, path: string, kind: Kind): void {
    const ended = handle
      .result()
      .then(
        (digest) => this.#addDigest(path, digest),
        (error: unknown) => {
          if (handle.state === "failed") this.#complain(path, error);
        },
      )
      .then(() => {
        this.#open.delete(ended);
        this.#addTimes(handle.id, kind);
      });
    this.#open.add(ended);
  }

  /** Resolves when the outcome of every task that was followed has been counted. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }

  addUnreadableFolder(path: string, error: unknown): void {
    this.unreadableFolders++;
    this.#complain(path, error);
  }

  #addDigest(path: string, digest: Digest): void {
    this.bytes += digest.bytes;
    this.gzipBytes += digest.gzipBytes;
    if (digest.bytes > (this.largest?.bytes ?? -1)) this.largest = { path, ...digest };
  }

  #addTimes(id: string, kind: Kind): void {
    const { waitMs, runMs } = this.#tasks.get(id) ?? {};
    if (waitMs !== undefined) this.waits[kind].record(waitMs);
    if (runMs !== undefined) this.runs[kind].record(runMs);
  }

  #complain(path: string, error: unknown): void {
    if (this.complaints.length >= MAX_KEPT) return;
    this.complaints.push({ path, error: error instanceof Error ? error.message : String(error) });
  }
}

function createHistograms(): Readonly<Record<Kind, Histogram>> {
  return Object.fromEntries(KINDS.map((kind) => [kind, new Histogram()])) as Record<Kind, Histogram>;
}
