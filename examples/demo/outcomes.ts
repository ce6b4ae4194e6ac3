import type { TaskManager } from "millrace";
import type { Digest } from "./digest-file.mjs";
import type { DemoHandlers } from "./handlers.ts";
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

type Results = ReturnType<TaskManager<DemoHandlers>["subscribe"]>;

/** Complaints are all counted, but no more of them than this are kept. */
const MAX_KEPT = 5;

/**
 * What has become of the files so far. Its size does not depend on their number: it holds sums, histograms and
 * the first few complaints.
 */
export class Outcomes {
  bytes = 0;
  gzipBytes = 0;
  unreadableFolders = 0;
  largest: NamedDigest | undefined;
  readonly complaints: Complaint[] = [];
  readonly waits = createHistograms();
  readonly runs = createHistograms();

  /** Takes results as they come, and keeps nothing of them but the numbers. Resolves when there are no more. */
  async follow(results: Results): Promise<void> {
    for await (const { handler, state, value, queue, metadata, waitMs, runMs, error } of results) {
      const path = String(metadata["path"]);
      if (handler === "digestFile" && state === "completed") this.addDigest(path, value);
      if (state === "failed") this.complain(path, error);
      const kind = queue as Kind;
      if (waitMs !== undefined) this.waits[kind].record(waitMs);
      if (runMs !== undefined) this.runs[kind].record(runMs);
    }
  }

  addUnreadableFolder(path: string, error: unknown): void {
    this.unreadableFolders++;
    this.complain(path, error);
  }

  addDigest(path: string, digest: Digest): void {
    this.bytes += digest.bytes;
    this.gzipBytes += digest.gzipBytes;
    if (digest.bytes > (this.largest?.bytes ?? -1)) this.largest = { path, ...digest };
  }

  complain(path: string, error: unknown): void {
    if (this.complaints.length >= MAX_KEPT) return;
    this.complaints.push({ path, error: error instanceof Error ? error.message : String(error) });
  }
}

function createHistograms(): Readonly<Record<Kind, Histogram>> {
  return Object.fromEntries(KINDS.map((kind) => [kind, new Histogram()])) as Record<Kind, Histogram>;
}
