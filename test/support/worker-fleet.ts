import { fileURLToPath } from "node:url";
import type { StopReport } from "../../src/index.js";
import { bundledWithRenewal } from "./bundle.js";
import { type ChildEnd, type RunningChild, startChild } from "./child-process.js";
import type { TaskLedger } from "./task-ledger.js";

/** What each worker process is told. */
export interface WorkerOptions {
  readonly url: string;
  readonly prefix: string;
  readonly ledger: TaskLedger;
  readonly leaseMs: number;
  readonly commandTimeoutMs: number;
  readonly concurrency: number;
  /** How long its stop may take, once it is told to end. */
  readonly deadlineMs: number;
}

interface Worker {
  readonly child: RunningChild;
  readonly pid: number;
  isReady: boolean;
}

const WORKER = fileURLToPath(new URL("../fixtures/durable/worker.mjs", import.meta.url));

/** Worker processes, which are killed, stopped and replaced. */
export class WorkerFleet implements AsyncDisposable {
  /** Those that were killed. */
  readonly killed = new Set<number>();
  readonly #options: WorkerOptions;
  readonly #program = bundledWithRenewal(WORKER);
  readonly #workers = new Set<Worker>();

  constructor(options: WorkerOptions) {
    this.#options = options;
  }

  /** Resolves when each of them consumes. */
  async start(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#launch()));
  }

  /**
   * Kills one of those that consume, and has it replaced. The last one is left: on a busy machine the others
   * take seconds to start, and nobody would do any work.
   */
  killOne(random: () => number): boolean {
    const ready = this.ready();
    const chosen = ready[Math.floor(random() * ready.length)];
    return ready.length > 1 && this.kill(chosen?.pid);
  }

  /** Kills that process, and starts another one in its place; false where it does not work. */
  kill(pid: number | undefined): boolean {
    const chosen = this.ready().find((worker) => worker.pid === pid);
    if (chosen === undefined) return false;
    this.#workers.delete(chosen);
    this.killed.add(chosen.pid);
    chosen.child.process.kill("SIGKILL");
    void this.#launch();
    return true;
  }

  /** Lets so many of those that consume stand still, that one before others, until what it returns is called. */
  freeze(count: number, pid?: number): () => void {
    const ready = this.ready();
    const first = ready.filter((worker) => worker.pid === pid);
    const frozen = [...first, ...ready.filter((worker) => worker.pid !== pid)].slice(0, count);
    for (const { child } of frozen) child.process.kill("SIGSTOP");
    return () => {
      for (const { child } of frozen) child.process.kill("SIGCONT");
    };
  }

  /** Those that consume. */
  ready(): readonly Worker[] {
    return [...this.#workers].filter(({ isReady }) => isReady);
  }

  /** Tells the one that is this process to end, and says how it did. */
  async stopOne(pid: number): Promise<ChildEnd> {
    const worker = this.ready().find((one) => one.pid === pid);
    if (worker === undefined) throw new Error("This worker does not consume");
    worker.child.process.kill("SIGTERM");
    const end = await worker.child.ended;
    this.#workers.delete(worker);
    return end;
  }

  /** Tells all to end, and says how each of them did. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<readonly ChildEnd[]> {
    const workers = [...this.#workers];
    for (const { child } of workers) child.process.kill(signal);
    const ends = await Promise.all(workers.map(({ child }) => child.ended));
    for (const worker of workers) this.#workers.delete(worker);
    return ends;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const workers = [...this.#workers];
    for (const { child } of workers) child.process.kill("SIGKILL");
    await Promise.all(workers.map(({ child }) => child.ended));
  }

  async #launch(): Promise<void> {
    const { ledger, ...rest } = this.#options;
    const child = startChild([
      process.execPath,
      this.#program,
      JSON.stringify({ ...rest, folder: ledger.folder }),
    ]);
    const worker: Worker = { child, pid: child.process.pid ?? 0, isReady: false };
    this.#workers.add(worker);
    await child.hasWritten("ready").catch(() => {}); // it was killed before
    worker.isReady = this.#workers.has(worker) && child.process.exitCode === null;
  }
}

/** What a worker said of its stop; undefined where it did not come to that. */
export function reportOf({ stdout }: ChildEnd): StopReport | undefined {
  const line = stdout.split("\n").find((each) => each.startsWith("report "));
  return line === undefined ? undefined : (JSON.parse(line.slice("report ".length)) as StopReport);
}
