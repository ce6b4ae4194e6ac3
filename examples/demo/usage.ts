import type { TaskManager } from "millrace";
import type { DemoHandlers } from "./handlers.ts";

export interface ThreadUsage {
  readonly alive: number;
  readonly busy: number;
  readonly started: number;
  /** Part of their time for which threads had something to do, from 0 to 1. */
  readonly utilisation: number;
}

/** What the work takes of the machine. */
export interface Usage {
  /** Null with `--inline`, where there are none. */
  readonly threads: ThreadUsage | null;
  /** CPU time of the process, all of its threads included. */
  readonly cpuMs: number;
  /** That time for each moment that has passed: 1.9 means that nearly two cores were busy all along. */
  readonly coresBusy: number;
}

/** What has been counted at one moment. */
interface Reading {
  readonly at: number;
  readonly cpuMs: number;
  readonly busyMs: number;
  readonly aliveMs: number;
}

/** What is shown while the work goes on is that of the last seconds, at least these. */
const RECENT_MS = 2_000;

/** Measures from when it is made. */
export class UsageMeter {
  readonly #tasks: TaskManager<DemoHandlers>;
  readonly #inline: boolean;
  readonly #first: Reading;
  #recent: readonly [older: Reading, newer: Reading];

  constructor(tasks: TaskManager<DemoHandlers>, inline: boolean) {
    this.#tasks = tasks;
    this.#inline = inline;
    this.#first = this.#read();
    this.#recent = [this.#first, this.#first];
  }

  get elapsedMs(): number {
    return performance.now() - this.#first.at;
  }

  sinceStart(): Usage {
    return this.#since(this.#first, this.#read());
  }

  ofLastSeconds(): Usage {
    const now = this.#read();
    const [older, newer] = this.#recent;
    if (now.at - newer.at > RECENT_MS) this.#recent = [newer, now];
    return this.#since(older, now);
  }

  #since(before: Reading, now: Reading): Usage {
    const cpuMs = now.cpuMs - before.cpuMs;
    const coresBusy = cpuMs / Math.max(1, now.at - before.at);
    if (this.#inline) return { threads: null, cpuMs, coresBusy };
    const { alive, busy, started } = this.#tasks.stats().threads;
    const utilisation = (now.busyMs - before.busyMs) / Math.max(1, now.aliveMs - before.aliveMs);
    return { threads: { alive, busy, started, utilisation }, cpuMs, coresBusy };
  }

  #read(): Reading {
    const { user, system } = process.cpuUsage();
    const { busyMs, aliveMs } = this.#tasks.stats().threads;
    return { at: performance.now(), cpuMs: (user + system) / 1_000, busyMs, aliveMs };
  }
}
