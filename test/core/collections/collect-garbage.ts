import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A full collection, after which a `WeakRef` tells whether something else still refers to its target. */
export async function collectGarbage(): Promise<void> {
  // A WeakRef made or read in this turn keeps its target until the turn ends.
  await nextTurn();
  collect();
  await nextTurn();
  collect();
}

/** Memory in use after a full collection: what typed arrays hold, and all else. */
export async function bytes(): Promise<{ inArrays: number; onHeap: number }> {
  await collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return { inArrays: arrayBuffers, onHeap: heapUsed };
}
