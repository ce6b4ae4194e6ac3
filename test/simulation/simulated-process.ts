import type { Clock, Timer } from "../../src/ports/clock.js";
import type { Chance } from "./chance.js";
import type { Timeline } from "./timeline.js";

const EPOCH = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
/** Far more than clocks of real machines differ. */
const MAX_DRIFT = 0.01;
/** How late a timer may be, and, for what rounding does, how early. */
const LATE_MS = 1;
const EARLY_MS = 0.9;
/** A timer that is started anew when it is due already takes its turn. */
const AWAKES_MS = 2 * LATE_MS;

/** Something that reaches a process from outside, or is due in it. */
interface Entry {
  readonly enter: () => void;
  readonly timer: boolean;
}

/**
 * An operating system process: it has a clock of its own, can be stopped and continued as by signals, and
 * dies with all it has. What it has sent before goes on without it.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly #timeline: Timeline;
  readonly #chance: Chance;
  readonly #origin: number;
  /** How fast its clock runs. */
  readonly #rate: number;
  #state: "running" | "paused" | "dead" = "running";
  /** What came while it was paused, and has not been let in. */
  #outside: Entry[] = [];
  #letting = false;
  #awakeSince = Number.NEGATIVE_INFINITY;
  #wallOffset = 0;
  #timers = 0;
  #sendsToCrash = Number.POSITIVE_INFINITY;
  #onCrash: () => void = () => {};

  constructor(name: string, timeline: Timeline, chance: Chance) {
    this.name = name;
    this.#timeline = timeline;
    this.#chance = chance;
    this.#origin = Math.floor(chance.between(0, 1e6));
    this.#rate = chance.between(1 - MAX_DRIFT, 1 + MAX_DRIFT);
    this.clock = {
      now: () => this.#origin + this.#timeline.now * this.#rate,
      wallNow: () => EPOCH + this.#wallOffset + this.#timeline.now * this.#rate,
      setTimeout: (callback, delayMs) => this.#startTimer(callback, delayMs),
      setImmediate: (callback) => {
        if (this.alive) this.#timeline.after(0, () => this.enter(callback));
      },
    };
  }

  get running(): boolean {
    return this.#state === "running" && !this.#letting;
  }

  /** It runs, and has let in what came while it stood still, and acted on it. */
  get aware(): boolean {
    return this.running && this.#timeline.now - this.#awakeSince > AWAKES_MS;
  }

  get alive(): boolean {
    return this.#state !== "dead";
  }

  /** Timers that are started and have neither fired nor been cancelled. */
  get timers(): number {
    return this.#timers;
  }

  /** Lets something in: at once, after a pause, or never. */
  enter(enter: () => void, timer = false): void {
    if (this.#state === "dead") return;
    if (this.running) enter();
    else this.#outside.push({ enter, timer });
  }

  /** It is about to send something; false where it dies before it can. */
  sends(): boolean {
    if (this.#state === "dead") return false;
    if (this.#sendsToCrash-- > 0) return true;
    this.#onCrash();
    return false;
  }

  /** Lets it die in the middle of a turn, when it has sent so many more messages. */
  crashAfterSending(messages: number, onCrash: () => void): void {
    this.#sendsToCrash = messages;
    this.#onCrash = onCrash;
  }

  crash(): void {
    this.#state = "dead";
    this.#outside = [];
  }

  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  /** All that has come meanwhile comes at once: timers first or last, as chance has it. */
  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    const timersFirst = this.#chance.happens(0.5);
    const rank = ({ timer }: Entry) => (timer === timersFirst ? 0 : 1);
    this.#outside.sort((one, other) => rank(one) - rank(other));
    this.#letting = true;
    this.#awakeSince = this.#timeline.now;
    this.#letIn();
  }

  jumpWall(): void {
    this.#wallOffset += this.#chance.happens(0.5) ? HOUR_MS : -HOUR_MS;
  }

  #letIn(): void {
    if (this.#state !== "running") {
      this.#letting = false;
      return;
    }
    const next = this.#outside.shift();
    if (next === undefined) {
      this.#letting = false;
      return;
    }
    next.enter();
    this.#timeline.after(0, () => this.#letIn());
  }

  #startTimer(callback: () => void, delayMs: number): Timer {
    if (!(delayMs >= 0 && delayMs <= 2 ** 30)) throw new RangeError(`A timer of ${delayMs} ms`);
    if (!this.alive) return { cancel() {}, ref() {}, unref() {} };
    this.#timers++;
    let open = true;
    const close = () => {
      if (open) this.#timers--;
      open = false;
    };
    const jitter = this.#chance.between(-EARLY_MS, LATE_MS);
    const fire = () => {
      if (!open) return;
      close();
      callback();
    };
    const due = this.#timeline.after(Math.max(0, delayMs / this.#rate + jitter), () =>
      this.enter(fire, true),
    );
    return {
      cancel: () => {
        close();
        this.#timeline.cancel(due);
      },
      ref() {},
      unref() {},
    };
  }
}
