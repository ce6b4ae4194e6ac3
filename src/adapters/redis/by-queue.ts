import { splitId } from "./store-keys.js";

/** One of a batch: what is said of a task, and the end of its id. */
export interface Part<T> {
  readonly rest: string;
  readonly one: T;
}

/** What one call of a script takes: so many of a batch, and if they are large, fewer. */
export interface Portion<T> {
  readonly most: number;
  readonly sizeOf: (one: T) => number;
}

/** A server takes much more in one piece, and nothing else meanwhile. */
const PORTION_BYTES = 8 * 1_024 * 1_024;

/** What of a batch concerns one queue, and its size: one call of a script. */
export type RunParts<T, R> = (
  queue: string,
  parts: readonly Part<T>[],
  bytes: number,
) => Promise<readonly R[]>;

/**
 * Runs a script for each portion of each queue of a batch, all at the same time. Answers are in the order of
 * the batch.
 */
export async function runByQueue<T extends { readonly id: string }, R>(
  batch: readonly T[],
  portion: Portion<T>,
  run: RunParts<T, R>,
): Promise<readonly R[]> {
  const chunks = toChunks(batch, portion);
  const only = chunks[0];
  if (chunks.length === 1 && only !== undefined) return run(only.queue, only.parts, only.bytes);
  const answers = new Array<R>(batch.length);
  await Promise.all(
    chunks.map(async ({ bytes, queue, parts, places }) => {
      const some = await run(queue, parts, bytes);
      for (const [index, place] of places.entries()) answers[place] = some[index] as R;
    }),
  );
  return answers;
}

interface Chunk<T> {
  readonly queue: string;
  bytes: number;
  readonly parts: Part<T>[];
  /** Where each of them is in the batch. */
  readonly places: number[];
}

/** The beginning of what is left of a batch: as much as is one portion, whatever the queues. */
export function nextPortion<T>(
  batch: readonly T[],
  from: number,
  { most, sizeOf }: Portion<T>,
): readonly T[] {
  let bytes = 0;
  let to = from;
  for (; to < batch.length && to - from < most; to++) {
    bytes += sizeOf(batch[to] as T);
    if (to > from && bytes > PORTION_BYTES) break;
  }
  return from === 0 && to === batch.length ? batch : batch.slice(from, to);
}

function toChunks<T extends { readonly id: string }>(
  batch: readonly T[],
  { most, sizeOf }: Portion<T>,
): readonly Chunk<T>[] {
  const chunks: Chunk<T>[] = [];
  const open = new Map<string, Chunk<T>>();
  for (let place = 0; place < batch.length; place++) {
    const one = batch[place] as T;
    const [queue, rest] = splitId(one.id);
    let chunk = open.get(queue);
    const bytes = sizeOf(one);
    if (chunk === undefined || chunk.parts.length >= most || chunk.bytes + bytes > PORTION_BYTES) {
      chunk = { queue, bytes: 0, parts: [], places: [] };
      open.set(queue, chunk);
      chunks.push(chunk);
    }
    chunk.bytes += bytes;
    chunk.parts.push({ rest, one });
    chunk.places.push(place);
  }
  return chunks;
}
