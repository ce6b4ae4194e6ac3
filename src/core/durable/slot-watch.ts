import type { Clock } from "../../ports/clock.js";
import { Silence } from "../collections/silence.js";
import { EarliestTimer } from "./earliest-timer.js";
import type { HeldLease } from "./held-lease.js";

/** A slot is looked at ten times in what it may be silent, and at least once in so long. */
const MAX_LOOK_MS = 1_000;

interface WatchedSlot {
  readonly pulse: number;
  readonly silence: Silence;
}

/**
 * Judges whether the event loops turn in which tasks run that have no timeout: nothing else ends those that
 * are stuck. It looks only while there are any.
 */
export class SlotWatch {
  readonly #clock: Clock;
  readonly #pulses: Int32Array | undefined;
  readonly #maxSilentMs: number;
  readonly #lookEveryMs: number;
  readonly #slots = new Map<HeldLease, WatchedSlot>();
  readonly #timer: EarliestTimer;

  /** @param pulses of a `WorkerPool`; undefined where none has any */
  constructor(clock: Clock, pulses: Int32Array | undefined, maxSilentMs: number) {
    this.#clock = clock;
    this.#pulses = pulses;
    this.#maxSilentMs = maxSilentMs;
    this.#lookEveryMs = Math.min(MAX_LOOK_MS, maxSilentMs / 10);
    this.#timer = new EarliestTimer(clock, () => this.#look());
  }

  /**
   * The task under that lease runs in the slot of that pulse from now on.
   * @returns false where there is no such pulse
   */
  watch(held: HeldLease, pulse: number): boolean {
    const turns = this.#pulses?.[pulse];
    if (turns === undefined) return false;
    const now = this.#clock.now();
    this.#slots.set(held, { pulse, silence: new Silence(this.#lookEveryMs, turns, now) });
    this.#timer.set(now + this.#lookEveryMs);
    return true;
  }

  forget(held: HeldLease): void {
    if (this.#slots.delete(held) && this.#slots.size === 0) this.#timer.clear();
  }

  /** Whether its slot has been silent for too long; false where it is not watched. */
  isSilent(held: HeldLease): boolean {
    const slot = this.#slots.get(held);
    return slot !== undefined && slot.silence.ms > this.#maxSilentMs;
  }

  #look(): void {
    const pulses = this.#pulses;
    if (pulses === undefined || this.#slots.size === 0) return;
    const now = this.#clock.now();
    for (const { pulse, silence } of this.#slots.values()) silence.look(Atomics.load(pulses, pulse), now);
    this.#timer.set(now + this.#lookEveryMs);
  }
}
