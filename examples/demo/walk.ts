import { opendir } from "node:fs/promises";
import { join } from "node:path";

export interface WalkOptions {
  /** Ends the walk before its time. */
  readonly signal: AbortSignal;
  /** Told of each folder that cannot be read, or not to its end; the walk goes on without it. */
  readonly onUnreadable?: (folder: string, error: unknown) => void;
}

/**
 * The paths of all regular files under a folder, in the order in which the file system gives them. Links are
 * not followed, so it cannot run in circles. It holds one open folder for each level, and no list of anything.
 */
export async function* walk(folder: string, options: WalkOptions): AsyncGenerator<string, void, undefined> {
  try {
    for await (const entry of await opendir(folder)) {
      if (options.signal.aborted) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) yield* walk(path, options);
      else if (entry.isFile()) yield path;
    }
  } catch (error) {
    options.onUnreadable?.(folder, error);
  }
}

/** How far the counting of files may be ahead of the work. Most folders are counted by then. */
export const HEAD_START_MS = 500;

/** Counts ahead of the work, so that the progress has an end to go to. */
export async function countFiles(folder: string, signal: AbortSignal, onFile: () => void): Promise<void> {
  for await (const _ of walk(folder, { signal })) onFile();
}
