import { setImmediate } from "node:timers/promises";

/**
 * Collects until nothing more is to be had: what a turn of the event loop still holds, and what a finaliser frees,
 * is gone only at a later collection.
 */
export async function collectGarbage(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error("The bench needs node --expose-gc");
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc();
    await setImmediate();
  }
}
