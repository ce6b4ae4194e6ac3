import { availableParallelism, loadavg } from "node:os";

/** How many want each core: what is measured by the clock takes as many times longer. */
export function crowding(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}
