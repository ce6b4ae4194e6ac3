import { lstat } from "node:fs/promises";
import { NotAcceptingError, type TaskManager } from "millrace";
import type { DemoHandlers } from "./handlers.ts";
import { kindOf } from "./kinds.ts";
import type { Outcomes } from "./outcomes.ts";
import { walk } from "./walk.ts";

/** Files that were chosen to show what happens when something goes wrong. */
export interface Mishaps {
  readonly failedOnce: string[];
  cancelled: string | null;
}

export interface DigestFolderOptions {
  readonly outcomes: Outcomes;
  /** Where to note the chosen files; undefined to choose none. */
  readonly mishaps: Mishaps | undefined;
  /** Ends the walk. The tasks end by a stop of their manager. */
  readonly signal: AbortSignal;
}

/**
 * Enqueues one task for each file of a folder, and resolves when the last one is accepted, or when the manager
 * has begun to stop. `enqueueAsync` waits for room: the walk goes no faster than the work, so that what waits
 * stays bounded however large the folder is.
 */
export async function digestFolder(
  tasks: TaskManager<DemoHandlers>,
  folder: string,
  { outcomes, mishaps, signal }: DigestFolderOptions,
): Promise<void> {
  const onUnreadable = (path: string, error: unknown) => outcomes.addUnreadableFolder(path, error);
  try {
    for await (const path of walk(folder, { signal, onUnreadable })) {
      const mishap = mishaps && chooseMishap(mishaps, path);
      const bytes = await sizeOf(path);
      const payload = { path, failOnce: mishap === "fail once" };
      const handle = await tasks.enqueueAsync("digestFile", payload, {
        queue: kindOf(path),
        priority: Math.ceil(Math.log2(bytes + 1)), // lower goes first: small files do
        timeoutMs: 60_000 + bytes / 1_000, // a minute, and a second for each megabyte
        metadata: { path }, // comes back with the result
      });
      if (mishap === "cancel") handle.cancel("chosen to be cancelled");
    }
  } catch (error) {
    if (!(error instanceof NotAcceptingError)) throw error;
  }
}

/** The size of a file, or 0 when it cannot be told: its task will say why. */
export async function sizeOf(path: string): Promise<number> {
  try {
    return (await lstat(path)).size;
  } catch {
    return 0;
  }
}

/** The first two files fail once, the third is cancelled. */
export function chooseMishap(mishaps: Mishaps, path: string): "fail once" | "cancel" | undefined {
  if (mishaps.failedOnce.length < 2) {
    mishaps.failedOnce.push(path);
    return "fail once";
  }
  if (mishaps.cancelled !== null) return undefined;
  mishaps.cancelled = path;
  return "cancel";
}
