import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IBackoff,
  type IHalfOpenAfterBackoffContext,
} from "cockatiel";
import { ManagerStoppedError, TaskCancelledError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import { LeaseLostError } from "../../store-errors.js";
import { findSteering, reschedule } from "../../task/steering.js";
import { isStopRefusal } from "../../task/stop-refusal.js";
import type { TaskContext } from "../../task/task-context.js";

/** What all circuits of one middleware have in common. */
export interface CircuitSettings {
  readonly consecutiveFailures: number;
  readonly resetAfterMs: number;
  readonly clock: Pick<Clock, "now">;
}

/** While a trial is under way, the others look again after this part of `resetAfterMs`. */
const LOOKS_PER_RESET = 10;

/** What an attempt says of the service behind it. */
type Verdict = "success" | "failure" | "nothing";

/** What the policy is told instead of what was thrown, which it would keep. */
const FAILURE = Object.freeze(new Error("The attempt failed"));
const NOTHING = Object.freeze(new Error("The attempt says nothing of the service"));

/**
 * One circuit: cockatiel's policy for its states and counts. The policy measures by the calendar, which can
 * be set back by hours, and lets calls wait for a trial, which would take their slots: so it is told by the
 * clock when the circuit is due, and is asked only by those that may run.
 */
export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #policy;
  /** How long the circuit stays open; undefined before it opens first. */
  #rest: Rest | undefined;
  #onTrial = false;
  /** Set by a trial that says nothing, so that the next attempt is one. */
  #dueAtOnce = false;

  constructor(settings: CircuitSettings) {
    this.#settings = settings;
    const isFailure = handleWhen((thrown) => thrown === FAILURE);
    this.#policy = circuitBreaker(isFailure, {
      breaker: new ConsecutiveBreaker(settings.consecutiveFailures),
      halfOpenAfter: { next: () => this.#open() },
    });
  }

  /**
   * Runs an attempt where the circuit lets it, and gives what it gives.
   * @throws {Reschedule} where it does not, with nothing run
   */
  async run(context: TaskContext, next: () => Promise<unknown>): Promise<unknown> {
    const waitMs = this.#waitMs();
    if (waitMs > 0) throw reschedule({ delayMs: waitMs });
    const isTrial = this.#policy.state !== CircuitState.Closed;
    this.#onTrial = isTrial;
    const ending = next();
    await this.#judge(context, ending, isTrial);
    return await ending;
  }

  #waitMs(): number {
    const { resetAfterMs } = this.#settings;
    if (this.#onTrial) return Math.max(1, resetAfterMs / LOOKS_PER_RESET);
    if (this.#policy.state === CircuitState.Closed) return 0;
    return this.#rest?.restMs ?? 0;
  }

  /** Tells the policy what an attempt says of the service, before any other attempt asks it. */
  async #judge(context: TaskContext, ending: Promise<unknown>, isTrial: boolean): Promise<void> {
    const restAtStart = this.#rest;
    const judge = async () => {
      const verdict = await verdictOf(context, ending);
      // What began before the circuit opened says nothing of the service as it is since.
      if (!isTrial && restAtStart !== this.#rest) throw NOTHING;
      if (verdict === "success") return;
      this.#dueAtOnce = isTrial && verdict === "nothing";
      // Of a trial that says nothing the policy would think that it went well.
      throw isTrial || verdict === "failure" ? FAILURE : NOTHING;
    };
    try {
      await this.#policy.execute(judge);
    } catch {
      // The attempt itself says how it ended.
    } finally {
      if (isTrial) this.#onTrial = false;
    }
  }

  #open(): Rest {
    const { clock, resetAfterMs } = this.#settings;
    const dueAt = this.#dueAtOnce ? Number.NEGATIVE_INFINITY : clock.now() + resetAfterMs;
    this.#dueAtOnce = false;
    this.#rest = new Rest(clock, dueAt, () => this.#open());
    return this.#rest;
  }
}

/** One time that a circuit is open. To the policy it is endless until it is over. */
class Rest implements IBackoff<IHalfOpenAfterBackoffContext> {
  readonly #clock: Pick<Clock, "now">;
  readonly #dueAt: number;
  readonly next: () => Rest;

  constructor(clock: Pick<Clock, "now">, dueAt: number, next: () => Rest) {
    this.#clock = clock;
    this.#dueAt = dueAt;
    this.next = next;
  }

  get restMs(): number {
    return Math.max(0, this.#dueAt - this.#clock.now());
  }

  get duration(): number {
    return this.restMs > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  }
}

/** By the abort of an attempt or its end, whichever comes first: a handler may ignore its signal for ever. */
async function verdictOf({ signal }: TaskContext, ending: Promise<unknown>): Promise<Verdict> {
  let onAbort = () => {};
  const aborted = new Promise<Verdict>((resolve) => {
    onAbort = () => resolve(toVerdict(signal.reason));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  const ended = ending.then(
    (): Verdict => "success",
    (thrown: unknown) => toVerdict(signal.aborted ? signal.reason : thrown),
  );
  const verdict = await Promise.race([aborted, ended]);
  signal.removeEventListener("abort", onAbort);
  return verdict;
}

/** Told to end by somebody else. */
const NO_FAILURES = [TaskCancelledError, ManagerStoppedError, LeaseLostError] as const;

/** Whoever steers, or has not failed by itself but for a stop of a manager, says nothing of the service. */
function toVerdict(thrown: unknown): Verdict {
  if (NO_FAILURES.some((type) => thrown instanceof type) || isStopRefusal(thrown)) return "nothing";
  return findSteering(thrown) === undefined ? "failure" : "nothing";
}
