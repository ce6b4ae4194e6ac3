import { StoreUnreachableError } from "../../src/store-errors.js";
import type { Answer, Call, Sent } from "./calls.js";
import type { Chance } from "./chance.js";
import type { FaultKind, Faults } from "./faults.js";
import type { SimulatedProcess } from "./simulated-process.js";
import type { Timeline } from "./timeline.js";
import type { TakeDown } from "./trace.js";

/** How the network is, in probabilities for each message and milliseconds. */
export interface Weather {
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  readonly slow: number;
  readonly maxSlowMs: number;
  readonly lost: number;
  readonly doubled: number;
  /** The connection breaks, before or after the store has executed the call, and the caller sees it. */
  readonly cut: number;
}

export const FAIR: Weather = {
  minDelayMs: 0.1,
  maxDelayMs: 2,
  slow: 0,
  maxSlowMs: 0,
  lost: 0,
  doubled: 0,
  cut: 0,
};

/** Where calls arrive. */
export interface CallTarget {
  /** Undefined where the store is down: the call goes nowhere. */
  execute(sent: Sent): Executed | undefined;
}

export type Executed = { readonly answer: Answer } | { readonly error: unknown };

export interface LinkParts {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly faults: Faults;
  readonly process: SimulatedProcess;
  readonly target: CallTarget;
  readonly weather: () => Weather;
  readonly timeoutMs: number;
  readonly trace: TakeDown;
}

/** The network between one process and the store. */
export class Link {
  readonly #parts: LinkParts;
  #partedUntil = Number.NEGATIVE_INFINITY;
  #open = 0;

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  /** Calls that have not been settled. */
  get open(): number {
    return this.#open;
  }

  /** Nothing passes from now on, either way, until then. */
  part(until: number): void {
    this.#partedUntil = until;
    const { faults, process, timeline } = this.#parts;
    faults.add("partition", process, timeline.now, until);
  }

  call(call: Call): Promise<Answer> {
    const { process, timeline, timeoutMs } = this.#parts;
    if (!process.sends()) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const sent: Sent = { process, call, sentAt: timeline.now };
      this.#open++;
      const settle = (executed: Executed) => {
        if (!timer.open) return;
        timer.open = false;
        timeline.cancel(timer.due);
        this.#open--;
        this.#settle(sent, executed, resolve, reject);
      };
      const unreachable = (why: string) =>
        settle({ error: new StoreUnreachableError(`${call.method}: ${why}`) });
      const timeUp = () => process.enter(() => unreachable("no answer in time"), true);
      const timer = { open: true, due: timeline.after(timeoutMs, timeUp) };
      this.#request(sent, settle, () => process.enter(() => unreachable("the connection broke")));
    });
  }

  /** A word from the store, which may be lost, late or doubled. */
  signal(happen: () => void): void {
    const { chance, process, weather } = this.#parts;
    const times = chance.happens(weather().doubled) ? 2 : 1;
    for (let time = 0; time < times; time++) this.#leg(() => process.enter(happen), true);
  }

  #settle(
    sent: Sent,
    executed: Executed,
    resolve: (answer: Answer) => void,
    reject: (error: unknown) => void,
  ): void {
    const failed = "error" in executed;
    this.#parts.trace(sent.process.name, sent.call.method, failed ? "failed" : "answered");
    if (failed) reject(executed.error);
    else resolve(executed.answer);
  }

  #request(sent: Sent, settle: (executed: Executed) => void, cut: () => void): void {
    const { chance, target, weather } = this.#parts;
    if (chance.happens(weather().cut)) {
      this.#fault("cut");
      this.#leg(cut, true);
      return;
    }
    const arrive = () => {
      const executed = target.execute(sent);
      if (executed === undefined) {
        // Refused where nobody listens, or never answered where the machine is gone.
        if (chance.happens(0.5)) this.#leg(cut, true);
        return;
      }
      if (chance.happens(weather().cut)) {
        this.#fault("cut");
        this.#leg(cut, true);
        return;
      }
      this.#leg(() => sent.process.enter(() => settle(executed)), true);
    };
    this.#leg(arrive, false);
    if (!chance.happens(weather().doubled)) return;
    this.#fault("doubled");
    this.#leg(arrive, false);
  }

  /** One way through the network. */
  #leg(arrive: () => void, wakes: boolean): void {
    const { chance, faults, process, timeline, weather } = this.#parts;
    const { minDelayMs, maxDelayMs, slow, maxSlowMs, lost } = weather();
    if (chance.happens(lost) || timeline.now < this.#partedUntil) {
      this.#fault("lost");
      return;
    }
    let delayMs = chance.between(minDelayMs, maxDelayMs);
    if (chance.happens(slow)) {
      delayMs += chance.between(0, maxSlowMs);
      faults.add("slow", process, timeline.now, timeline.now + delayMs);
    }
    const pass = () => {
      if (timeline.now < this.#partedUntil) this.#fault("lost");
      else arrive();
    };
    timeline.after(delayMs, pass, wakes);
  }

  #fault(kind: FaultKind): void {
    const { faults, process, timeline } = this.#parts;
    faults.add(kind, process, timeline.now, timeline.now);
  }
}
