import { setTimeout as realTimeout } from "node:timers/promises";
import type { TaskManager } from "../index.js";
import type { ManualClock } from "./manual-clock.js";

/** So many turns without a change in a row are taken for quiet. */
const QUIET_TURNS = 3;
/** What needs more turns than this at one instant, or more starts, is taken for something without an end. */
const MAX_TURNS = 10_000;
const MAX_STARTS = 200_000;
/** Real time between two looks at handlers that wait for the outside world. */
const REAL_STEP_MS = 1;

/** Moves a manual clock from one instant to the next, when everything at that instant has come to rest. */
export class Pacer {
  readonly #clock: ManualClock;
  readonly #tasks: TaskManager;
  readonly #describeOthers: () => string;

  /** @param describeOthers what is to be done elsewhere, in words; nothing for nothing */
  constructor(clock: ManualClock, tasks: TaskManager, describeOthers: () => string) {
    this.#clock = clock;
    this.#tasks = tasks;
    this.#describeOthers = describeOthers;
  }

  /** Lets promises, immediates and what is due now go on until nothing changes any more. */
  async settle(): Promise<void> {
    let before = this.#picture();
    let quiet = 0;
    const mostStarts = this.#tasks.stats().total.started + MAX_STARTS;
    for (let turn = 0; quiet < QUIET_TURNS; turn++) {
      if (turn === MAX_TURNS || this.#tasks.stats().total.started > mostStarts) {
        throw new Error(`No rest at ${this.#clock.now()} ms: ${this.describe()}`);
      }
      await this.#clock.advance(0);
      const after = this.#picture();
      quiet = after === before ? quiet + 1 : 0;
      before = after;
    }
  }

  /** Settles, and moves on to the next timer, until that much time has passed. */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) {
      throw new RangeError(`Expected \`ms\` to be a number from 0 up, got ${ms}`);
    }
    const target = this.#clock.now() + ms;
    await this.settle();
    while ((this.#clock.nextTimerAt ?? Number.POSITIVE_INFINITY) <= target) await this.step();
    await this.#clock.advance(Math.max(0, target - this.#clock.now()));
    await this.settle();
  }

  /** Moves on to the next timer, and settles. */
  async step(): Promise<void> {
    const { nextTimerAt = this.#clock.now() } = this.#clock;
    await this.#clock.advance(Math.max(0, nextTimerAt - this.#clock.now()));
    await this.settle();
  }

  /**
   * Settles and moves on until `isDone`.
   * @param waitMs real time that handlers which wait for the outside world are given, before time moves on
   * @throws {Error} when that takes more than `maxSteps` steps
   */
  async until(isDone: () => boolean, maxSteps: number, waitMs: number): Promise<void> {
    let waited = "";
    await this.settle();
    for (let steps = 0; !isDone(); steps++) {
      if (steps === maxSteps) {
        const at = `${maxSteps} steps, the most that \`maxSteps\` allows, at ${this.#clock.now()} ms`;
        throw new Error(`Not done after ${at}: ${this.describe()}`);
      }
      const picture = this.#picture();
      const changed = waited !== picture && (await this.#waitForChange(waitMs));
      waited = picture;
      if (changed) await this.settle();
      else await this.step();
    }
  }

  /** What is still to be done, in words. */
  describe(): string {
    const { queued, scheduled, running, paused, total } = this.#tasks.stats();
    const live = (["running", "queued", "scheduled"] as const).flatMap((state) =>
      this.#tasks.list({ state, maxEntries: 2 }),
    );
    const told = live.map(({ id, handler, state }) => `${handler ?? "a function"} (${id}) is ${state}`);
    const waiting = `${queued} queued, ${scheduled} scheduled${paused ? ", paused" : ""}`;
    const all = [`${running} running, ${waiting}, ${total.started} starts so far`, ...told];
    return [...all, this.#describeOthers()].filter((text) => text !== "").join("; ");
  }

  /** Whether something changed while a handler that runs was given real time. */
  async #waitForChange(waitMs: number): Promise<boolean> {
    const before = this.#picture();
    for (let waited = 0; waited < waitMs && this.#isElsewhere(); waited += REAL_STEP_MS) {
      await realTimeout(REAL_STEP_MS);
      if (this.#picture() !== before) return true;
    }
    return false;
  }

  /** Whether a handler, or a schema, may be waiting for what this clock does not drive. */
  #isElsewhere(): boolean {
    const { running, waitingForSchema } = this.#tasks.stats();
    return running + waitingForSchema > 0;
  }

  /** All that changes when something happens, as text. */
  #picture(): string {
    const { phase, queued, scheduled, running, total, results, ...others } = this.#tasks.stats();
    const waiting = [others.waitingForRoom, others.waitingForSchema];
    const counts = [queued, scheduled, running, ...waiting, this.#clock.timers, this.#clock.nextTimerAt];
    return [phase, ...counts, ...Object.values(total), ...Object.values(results)].join();
  }
}
