import type { Chance } from "./chance.js";
import { FAIR, type Weather } from "./link.js";

/** Something that is done to the processes or the store. */
export interface Act {
  readonly at: number;
  readonly do:
    | "crash"
    | "crash-sending"
    | "pause"
    | "part"
    | "jump-wall"
    | "stop"
    | "stop-now"
    | "restart-store"
    | "older-store"
    | "empty-store"
    | "step-clock";
  readonly lastsMs: number;
}

/** What a schedule is made of, as far as it is known beforehand. */
export interface Plan {
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly workers: number;
  readonly producers: number;
  readonly queues: number;
  /** Of each producer. */
  readonly tasks: number;
  readonly spanMs: number;
  readonly maxDeliveries: number;
  readonly maxAttempts: number;
  readonly weather: Weather;
  /** Whether handlers may fail and disobey. */
  readonly turbulent: boolean;
  /** How likely it is that a handler takes long, up to some leases. */
  readonly long: number;
  /** How likely it is that a handler fails. */
  readonly failing: number;
  readonly acts: readonly Act[];
  /** Nothing goes wrong but in handlers. */
  readonly quiet: boolean;
  /** When the last fault is over. */
  readonly calmAt: number;
}

const LEASE_MS = 900;

const PROCESS_ACTS = [
  "crash",
  "crash-sending",
  "pause",
  "pause",
  "part",
  "jump-wall",
  "stop",
  "stop-now",
] as const;
const STORE_ACTS = ["restart-store", "older-store", "empty-store", "step-clock"] as const;

/** What goes wrong: processes and their network alone, or the store as well. */
export type Theme = "processes" | "store" | "anything";

/** How likely it is that something is done to the store, where anything is done at all. */
const STORE_ACT: Record<Theme, number> = { processes: 0, store: 1, anything: 0.4 };

/** From quiet schedules, in which nothing may happen twice, to those in which everything goes wrong. */
export function drawPlan(chance: Chance, theme: Theme): Plan {
  const kind = chance.next();
  const hasWeather = kind > 0.2;
  const hasActs = kind > 0.35;
  const spanMs = chance.between(100, 3 * LEASE_MS);
  const acts = hasActs ? drawActs(chance, spanMs + LEASE_MS, STORE_ACT[theme]) : [];
  const ends = acts.map(({ at, lastsMs }) => at + lastsMs);
  return {
    leaseMs: LEASE_MS,
    pollMs: chance.pick([0.5, 1, 2]) * LEASE_MS,
    timeoutMs: LEASE_MS / 4,
    workers: 1 + chance.below(3),
    producers: 1 + chance.below(2),
    queues: chance.happens(0.3) ? 2 : 1,
    tasks: 1 + chance.below(6),
    spanMs,
    maxDeliveries: chance.pick([2, 3, 10]),
    maxAttempts: 1 + chance.below(3),
    weather: hasWeather ? drawWeather(chance) : FAIR,
    turbulent: kind > 0.05,
    long: chance.pick([0.05, 0.2, 0.7]),
    failing: chance.pick([0.1, 0.2, 0.6]),
    acts,
    quiet: !hasWeather,
    calmAt: Math.max(spanMs + LEASE_MS, ...ends),
  };
}

function drawWeather(chance: Chance): Weather {
  const some = (most: number) => (chance.happens(0.5) ? chance.between(0, most) : 0);
  return {
    minDelayMs: 0.1,
    maxDelayMs: chance.pick([1, 5, 40]),
    slow: some(0.2),
    maxSlowMs: LEASE_MS * chance.pick([0.2, 1, 3]),
    lost: some(0.1),
    doubled: some(0.2),
    cut: some(0.1),
  };
}

function drawActs(chance: Chance, untilMs: number, storeAct: number): readonly Act[] {
  // What throws the store's contents away is rare, and then the one thing of its kind.
  const act = chance.happens(storeAct) ? chance.pick(STORE_ACTS) : undefined;
  const acts: Act[] = [];
  if (act !== undefined)
    acts.push({ at: chance.between(0, untilMs), do: act, lastsMs: chance.between(1, LEASE_MS) });
  for (let left = 1 + chance.below(3); left > 0; left--) {
    const lastsMs = chance.happens(0.5) ? chance.between(1, LEASE_MS) : 3 * LEASE_MS;
    acts.push({ at: chance.between(0, untilMs), do: chance.pick(PROCESS_ACTS), lastsMs });
  }
  return acts;
}
