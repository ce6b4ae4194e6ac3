import type { ThreadStats } from "../../task/manager-stats.js";
import { noExits } from "../../task/worker-details.js";
import type { ThreadLife } from "./thread-life.js";

/** What is counted of the threads of a manager. */
type Counted = Omit<ThreadStats, "min" | "max" | "failing" | "failingHandlers">;

/** What has happened to the threads of a manager. */
export class ThreadTally {
  started = 0;
  lateFaults = 0;
  /** Of those times of which the end is known. */
  busyMs = 0;
  aliveMs = 0;
  readonly exited = noExits();

  /** The same at this moment, with the threads that are there. */
  read(threads: ReadonlySet<ThreadLife>, now: number): Counted {
    const counted = { alive: threads.size, starting: 0, busy: 0, busyMs: this.busyMs, aliveMs: this.aliveMs };
    for (const { state, busySince, bornAt } of threads) {
      counted.aliveMs += now - bornAt;
      if (state === "starting") counted.starting++;
      if (state !== "busy") continue;
      counted.busy++;
      counted.busyMs += now - busySince;
    }
    const { started, lateFaults, exited } = this;
    return { ...counted, started, lateFaults, exited: Object.freeze({ ...exited }) };
  }
}
