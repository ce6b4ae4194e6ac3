import { splitId } from "./store-keys.js";

/** One of a batch: what is said of a task, and the end of its id. */
export interface Part<T> {
  readonly rest: string;
  readonly one: T;
}

/** What of a batch concerns one queue: one call of a script. */
export type RunParts<T, R> = (queue: string, parts: readonly Part<T>[]) => Promise<readonly R[]>;

/**
 * Runs a script for each queue of a batch, and for each `most` tasks of one, all at the same time. Answers
 * are in the order of the batch.
 */
export async function runByQueue<T extends { readonly id: string }, R>(
  batch: readonly T[],
  most: number,
  run: RunParts<T, R>,
): Promise<readonly R[]> {
  const chunks = toChunks(batch, most);
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return run(only.queue, only.parts);
  const answers = new Array<R>(batch.length);
  await Promise.all(
    chunks.map(async ({ queue, parts, places }) => {
      const some = await run(queue, parts);
      for (const [index, place] of places.entries()) answers[place] = some[index] as R;
    }),
  );
  return answers;
}

interface Chunk<T> {
  readonly queue: string;
  readonly parts: Part<T>[];
  /** Where each of them is in the batch. */
  readonly places: number[];
}

function toChunks<T extends { readonly id: string }>(batch: readonly T[], most: number): readonly Chunk<T>[] {
  const chunks: Chunk<T>[] = [];
  const open = new Map<string, Chunk<T>>();
  for (const [place, one] of batch.entries()) {
    const [queue, rest] = splitId(one.id);
    let chunk = open.get(queue);
    if (chunk === undefined || chunk.parts.length >= most) {
      chunk = { queue, parts: [], places: [] };
      open.set(queue, chunk);
      chunks.push(chunk);
    }
    chunk.parts.push({ rest, one });
    chunk.places.push(place);
  }
  return chunks;
}
