import { availableParallelism } from "node:os";

/** How many threads the machine can run at once. */
export function parallelism(): number {
  return availableParallelism();
}
