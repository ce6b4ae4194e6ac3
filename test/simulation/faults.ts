import type { SimulatedProcess } from "./simulated-process.js";

/** What can go wrong for a reason that the code under test is not to blame for. */
export type FaultKind =
  | "slow"
  | "lost"
  | "cut"
  | "doubled"
  | "partition"
  | "pause"
  | "crash"
  | "stop"
  | "store-down"
  | "store-clock"
  | "store-rolled-back"
  | "store-emptied";

interface Fault {
  readonly kind: FaultKind;
  /** Undefined where it concerns all. */
  readonly process: SimulatedProcess | undefined;
  readonly from: number;
  readonly until: number;
}

/** What has been done to the processes and the store, so that what follows from it can be told apart. */
export class Faults {
  readonly #faults: Fault[] = [];

  get count(): number {
    return this.#faults.length;
  }

  add(kind: FaultKind, process: SimulatedProcess | undefined, from: number, until: number): void {
    this.#faults.push({ kind, process, from, until });
  }

  /** Whether any concerned this process, or all, in that span. */
  explain(process: SimulatedProcess, from: number, until: number): boolean {
    return this.#faults.some(
      (fault) =>
        (fault.process === undefined || fault.process === process) &&
        fault.from <= until &&
        fault.until >= from,
    );
  }

  /** How many of each kind there were. */
  tally(): ReadonlyMap<FaultKind, number> {
    const tally = new Map<FaultKind, number>();
    for (const { kind } of this.#faults) tally.set(kind, (tally.get(kind) ?? 0) + 1);
    return tally;
  }
}
