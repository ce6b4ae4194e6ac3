import { skipRetry, type TaskContext } from "millrace/worker";

/** What threads run: with the context that they are given, without it, and with more than one result. */
export default async function parse(text: string, { signal, progress, enqueue }: TaskContext) {
  signal.throwIfAborted();
  progress({ length: text.length });
  const { id } = await enqueue("count", [text]);
  return { id, words: text.split(" ") };
}

export function count(words: readonly string[]): number {
  if (words.length === 0) throw skipRetry(new RangeError("no words"));
  return words.length;
}

export async function find({ word }: { word: string; from?: number }): Promise<number | undefined> {
  return word === "" ? undefined : word.length;
}

export const version = 5;
