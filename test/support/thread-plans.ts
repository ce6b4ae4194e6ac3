import type { Random, TaskOptions } from "../../dist/index.js";

/** What one task of a load does in each of its attempts, and how it is enqueued. See `load.mjs`. */
export interface LoadPlan {
  readonly plan: readonly string[];
  readonly handler: "quick" | "work";
  readonly options: TaskOptions;
  /** It is cancelled so long after it was enqueued, in turns of the event loop; undefined for most. */
  readonly cancelAfterTurns: number | undefined;
}

/** Attempts that complete their task. */
const QUIET = ["fine", "fine", "fine", "fine", "fine", "fine", "soon", "progress", "enqueues", "junk"];
/** Those that complete it too, and end the thread afterwards. */
const LATE = ["throwLate", "rejectLate", "exitLate"] as const;
/** Those that end the thread with the attempt. */
const SUDDEN = ["exit", "exitLater", "throwLater", "reject", "enqueuesAndExits"];
/** Those that end by their timeout alone. */
const ENDLESS = ["loop", "wait", "never"] as const;
/** Those that end by an abort, and leave the thread alone. */
const HEEDING = ["heeds", "heedsStill"] as const;

const isOf = (kinds: readonly string[], kind: string) => kinds.includes(kind);

/** What an attempt of a kind fails with, where nobody aborts it; undefined where it completes. */
export function failureOf(kind: string): string | undefined {
  if (isOf(ENDLESS, kind) || isOf(HEEDING, kind)) return "TaskTimeoutError";
  const failures: Record<string, string> = {
    ...{ throws: "RangeError", throwLater: "RangeError", reject: "TypeError" },
    ...{ exit: "WorkerExitError", exitLater: "WorkerExitError", enqueuesAndExits: "WorkerExitError" },
    outOfMemory: "WorkerOutOfMemoryError",
  };
  return failures[kind];
}

/**
 * Whether a task of this plan has a timeout of few milliseconds, which then holds for each of its attempts: on a
 * crowded machine, any of them may run into it.
 */
export function isTimed(plan: readonly string[]): boolean {
  return plan.some((kind) => isOf(ENDLESS, kind) || isOf(HEEDING, kind));
}

/** Draws tasks, of which about `deadly` in one do harm to their thread. */
export class LoadPlanner {
  readonly #random: Random;
  readonly #deadly: number;

  constructor(random: Random, deadly: number) {
    this.#random = random;
    this.#deadly = deadly;
  }

  next(): LoadPlan {
    const plan = this.#drawPlan();
    const needsTimeout = isTimed(plan);
    const isCancelled = this.#random.next() < (needsTimeout ? 0.3 : 0.01);
    return {
      plan,
      handler: plan.includes("larger") || this.#random.next() < 0.1 ? "work" : "quick",
      cancelAfterTurns: isCancelled ? Math.floor(this.#random.next() * 40) : undefined,
      options: {
        ...{ priority: Math.floor(this.#random.next() * 3) - 1, queue: this.#oneOf(["a", "a", "b"]) },
        ...{ maxAttempts: plan.length, backoff: () => Math.floor(this.#random.next() * 3) },
        timeoutMs: needsTimeout ? 20 + Math.floor(this.#random.next() * 30) : 120_000,
      },
    };
  }

  #drawPlan(): readonly string[] {
    if (this.#random.next() >= this.#deadly) {
      const chance = this.#random.next();
      if (chance < 0.02) return [this.#oneOf(["larger", "heeds", "heedsStill"])];
      return chance < 0.04 ? ["throws", this.#oneOf(["fine", "throws"])] : [this.#oneOf(QUIET)];
    }
    const first = this.#drawDeath();
    const chance = this.#random.next();
    if (failureOf(first) === undefined || chance < 0.5) return [first];
    return chance < 0.8 ? [first, "fine"] : [first, this.#drawDeath()];
  }

  #drawDeath(): string {
    const chance = this.#random.next();
    if (chance < 0.04) return "outOfMemory";
    if (chance < 0.3) return this.#oneOf(ENDLESS);
    return this.#oneOf(chance < 0.55 ? LATE : SUDDEN);
  }

  #oneOf<T>(kinds: readonly T[]): T {
    return kinds[Math.floor(this.#random.next() * kinds.length)] as T;
  }
}
