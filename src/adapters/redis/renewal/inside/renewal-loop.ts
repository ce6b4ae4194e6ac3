import type { ExtendAnswer, Extension } from "../../../../ports/backend.js";
import type { LeaseWords } from "../lease-words.js";
import type { LifeWords } from "../life-words.js";
import type { KeepMessage, MessageFromRenewal } from "../messages.js";

export interface RenewalLoopParts {
  readonly extend: (extensions: readonly Extension[]) => Promise<readonly ExtendAnswer[]>;
  readonly leases: LeaseWords;
  readonly life: LifeWords;
  readonly leaseMs: number;
  readonly maxBlockedMs: number;
  readonly post: (message: MessageFromRenewal) => void;
  /** The next of what main has sent, if there is any. */
  readonly receive: () => KeepMessage | undefined;
  readonly now: () => number;
}

interface KeptLease {
  readonly id: string;
  readonly token: number;
  readonly place: number;
  readonly tenure: number;
  renewAt: number;
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
  readonly #kept = new Map<string, KeptLease>();
  #mainBeat: number;
  #mainSeenAt: number;

  constructor(parts: RenewalLoopParts) {
    this.#parts = parts;
    this.#renewEveryMs = parts.leaseMs / 3;
    this.#mainBeat = parts.life.main;
    this.#mainSeenAt = parts.now();
  }

  /** How long it may be left alone. */
  get tickMs(): number {
    return Math.min(MAX_TICK_MS, this.#renewEveryMs / 8);
  }

  tick(): void {
    const { life, receive } = this.#parts;
    life.beatThread();
    for (let next = receive(); next !== undefined; next = receive()) this.#keep(next);
    const now = this.#parts.now();
    const due = this.#due(now, this.#isMainSilent(now));
    for (let from = 0; from < due.length; from += BATCH) void this.#renew(due.slice(from, from + BATCH), now);
  }

  #keep({ ids, places, renewAt, tenures, tokens }: KeepMessage): void {
    for (const [index, id] of ids.entries()) {
      const [token = 0, place = 0, tenure = 0] = [tokens[index], places[index], tenures[index]];
      this.#kept.set(id, { id, token, place, tenure, renewAt });
    }
  }

  #isMainSilent(now: number): boolean {
    const { life, maxBlockedMs } = this.#parts;
    if (life.main !== this.#mainBeat) {
      this.#mainBeat = life.main;
      this.#mainSeenAt = now;
    }
    return now - this.#mainSeenAt > maxBlockedMs;
  }

  #due(now: number, isSilent: boolean): readonly KeptLease[] {
    const due: KeptLease[] = [];
    let pressing = false;
    for (const lease of this.#kept.values()) {
      const wish = this.#parts.leases.wish(lease.place, lease.tenure, now, isSilent);
      if (wish === "forget") this.#kept.delete(lease.id);
      if (wish !== "renew" || lease.renewAt > now + this.#renewEveryMs / 4) continue;
      due.push(lease);
      pressing ||= lease.renewAt <= now;
    }
    return pressing ? due : [];
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
      if (answers[index]?.held !== true && this.#kept.get(lease.id) === lease) this.#kept.delete(lease.id);
    post({ type: "answered", sentAt, leases });
  }
}

const REFUSED: ExtendAnswer = { held: false, cancel: undefined };
