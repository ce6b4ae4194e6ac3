import { Silence } from "../../../../core/collections/silence.js";
import type { ExtendAnswer, Extension } from "../../../../ports/backend.js";
import type { LeaseTable, TabledLease } from "../lease-table.js";
import type { LifeWords } from "../life-words.js";
import type { MessageFromRenewal } from "../messages.js";

export interface RenewalLoopParts {
  readonly extend: (extensions: readonly Extension[]) => Promise<readonly ExtendAnswer[]>;
  readonly leases: LeaseTable;
  readonly life: LifeWords;
  /** In which workers count their turns. */
  readonly pulses: Int32Array | undefined;
  readonly leaseMs: number;
  readonly maxBlockedMs: number;
  readonly post: (message: MessageFromRenewal) => void;
  readonly now: () => number;
}

interface KeptLease {
  readonly id: string;
  readonly token: number;
  readonly tenure: number;
  /** Infinity where it is not held any more. */
  renewAt: number;
  /** The worker that it needs. */
  slot: { readonly pulse: number; readonly silence: Silence } | undefined;
}

/** So many leases travel in one call. */
const BATCH = 500;

const MAX_TICK_MS = 1_000;

/**
 * Renews leases, every third of their length, those that are nearly due along with those that are. It looks
 * for itself what is due, a few times in that, instead of being woken for each task that comes and goes: most
 * are over before they are due for the first time.
 */
export class RenewalLoop {
  readonly #parts: RenewalLoopParts;
  readonly #renewEveryMs: number;
  /** By their places in the table. */
  readonly #kept: (KeptLease | undefined)[] = [];
  readonly #mainSilence: Silence;

  constructor(parts: RenewalLoopParts) {
    this.#parts = parts;
    this.#renewEveryMs = parts.leaseMs / 3;
    this.#mainSilence = new Silence(this.tickMs, parts.life.main, parts.now());
  }

  /** How long it may be left alone. */
  get tickMs(): number {
    return Math.min(MAX_TICK_MS, this.#renewEveryMs / 8, this.#parts.maxBlockedMs / 10);
  }

  tick(): void {
    this.#parts.life.beatThread();
    const now = this.#parts.now();
    this.#mainSilence.look(this.#parts.life.main, now);
    const due = this.#due(now);
    for (let from = 0; from < due.length; from += BATCH) void this.#renew(due.slice(from, from + BATCH), now);
  }

  #due(now: number): readonly KeptLease[] {
    const { leases } = this.#parts;
    const due: KeptLease[] = [];
    let pressing = false;
    for (let place = 0; place < leases.used; place++) {
      const lease = this.#look(place);
      if (lease === undefined || this.#isForsaken(lease, place, now)) continue;
      if (lease.renewAt > now + this.#renewEveryMs / 4 || !leases.wants(place, now)) continue;
      due.push(lease);
      pressing ||= lease.renewAt <= now;
    }
    return pressing ? due : [];
  }

  /** Whether whoever it needs has been silent for too long. */
  #isForsaken(lease: KeptLease, place: number, now: number): boolean {
    const { leases, maxBlockedMs, pulses } = this.#parts;
    const need = leases.needOf(place);
    if (typeof need !== "number" || pulses === undefined) {
      lease.slot = undefined;
      return need !== "nobody" && this.#mainSilence.ms > maxBlockedMs;
    }
    const turns = Atomics.load(pulses, need);
    if (lease.slot?.pulse !== need)
      lease.slot = { pulse: need, silence: new Silence(this.tickMs, turns, now) };
    return lease.slot.silence.look(turns, now) > maxBlockedMs;
  }

  /** The lease that has the place now. */
  #look(place: number): KeptLease | undefined {
    const { leases } = this.#parts;
    const tenure = leases.tenureOf(place);
    const known = this.#kept[place];
    if (known !== undefined && known.tenure === tenure) return known;
    const found = tenure === undefined ? undefined : leases.read(place);
    const lease = found && toKept(found);
    this.#kept[place] = lease;
    return lease;
  }

  async #renew(batch: readonly KeptLease[], sentAt: number): Promise<void> {
    const { extend, leaseMs, post } = this.#parts;
    for (const lease of batch) lease.renewAt = sentAt + this.#renewEveryMs;
    let answers: readonly ExtendAnswer[];
    try {
      answers = await extend(batch.map(({ id, token }) => ({ id, token, leaseMs, progress: undefined })));
    } catch (error) {
      const again = this.#parts.now() + this.#renewEveryMs / 4;
      for (const lease of batch) lease.renewAt = Math.min(lease.renewAt, again);
      post({ type: "failed", text: error instanceof Error ? error.message : "It threw no error" });
      return;
    }
    const leases = batch.map(({ id, token }, index) => [id, token, answers[index] ?? REFUSED] as const);
    for (const [index, lease] of batch.entries())
      if (answers[index]?.held !== true) lease.renewAt = Number.POSITIVE_INFINITY;
    post({ type: "answered", sentAt, leases });
  }
}

function toKept({ id, token, tenure, dueAt }: TabledLease): KeptLease {
  return { id, token, tenure, renewAt: dueAt, slot: undefined };
}

const REFUSED: ExtendAnswer = { held: false, cancel: undefined };
