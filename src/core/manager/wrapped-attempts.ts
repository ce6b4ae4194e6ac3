import type { AttemptFollower, RunnableAttempt } from "../../ports/executor.js";
import type { Outcome } from "../../task/outcome.js";
import type { TaskContext } from "../../task/task-context.js";
import type { Transfer } from "../../task/transfer.js";
import type { Work } from "../../task/work.js";
import type { AttemptChain } from "../events/attempt-chain.js";
import { type Attempt, toHandedBack } from "./attempt.js";

/**
 * Runs attempts inside middleware. To the executor, the handler at the end of the chain is the attempt; the
 * attempt itself ends when the handler and all middleware have ended, with the outcome of the outermost.
 */
export class WrappedAttempts {
  readonly #chain: AttemptChain;
  /** Weak, since middleware may go on for ever. */
  readonly #handlers = new WeakMap<Attempt, WrappedHandler>();

  constructor(chain: AttemptChain) {
    this.#chain = chain;
  }

  begin(attempt: Attempt): void {
    const handler = new WrappedHandler(attempt);
    this.#handlers.set(attempt, handler);
    void this.#chain
      .run(attempt.context, () => handler.begin())
      .then((outcome) => {
        if (handler.wasHandedBack && !outcome.returned) attempt.handBack();
        else attempt.ended(outcome);
      });
  }

  /**
   * Forces an end to an attempt whose handler runs; its middleware is then not waited for.
   * @returns false when nothing can stop it, or when it is the middleware that goes on
   */
  kill(attempt: Attempt): boolean {
    return this.#handlers.get(attempt)?.kill() ?? false;
  }

  /** The attempt as its executor knows it, while its handler is there. */
  running(attempt: Attempt): RunnableAttempt | undefined {
    const handler = this.#handlers.get(attempt);
    return handler?.running === true ? handler : undefined;
  }
}

/** The handler of a wrapped attempt, as its executor sees it; its outcome goes to the middleware. */
class WrappedHandler implements RunnableAttempt {
  readonly #attempt: Attempt;
  #phase: "waiting" | "running" | "killed" | "ended" = "waiting";
  #handedBack = false;
  #settle: ((outcome: Outcome) => void) | undefined;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get work(): Work {
    return this.#attempt.work;
  }

  get context(): TaskContext {
    return this.#attempt.context;
  }

  get headers(): Readonly<Record<string, string>> | undefined {
    return this.#attempt.headers;
  }

  get transfer(): Transfer | undefined {
    return this.#attempt.transfer;
  }

  get watched(): boolean {
    return this.#attempt.watched;
  }

  get running(): boolean {
    return this.#phase === "running";
  }

  /** What the middleware awaits was then rejected; what it makes of that decides only where it is a value. */
  get wasHandedBack(): boolean {
    return this.#handedBack;
  }

  follow(follower: AttemptFollower): void {
    this.#attempt.follow(follower);
  }

  began(): void {
    if (this.#phase === "running") this.#attempt.began();
  }

  /** The handler; what its middleware does then needs this thread. */
  placed(pulse: number | undefined): void {
    this.#attempt.placed(pulse);
  }

  /** Runs it, unless the attempt was aborted while middleware went before it. */
  begin(): Promise<unknown> {
    const { cause, lane } = this.#attempt;
    if (cause !== undefined) return Promise.reject(cause.error);
    return new Promise((resolve, reject) => {
      this.#settle = (outcome) => {
        if (outcome.returned) resolve(outcome.value);
        else reject(outcome.thrown);
      };
      this.#phase = "running";
      lane.executor.run(this);
    });
  }

  ended(outcome: Outcome, runMs?: number): void {
    const phase = this.#phase;
    if (phase === "ended") return;
    this.#phase = "ended";
    if (runMs !== undefined) this.#attempt.ran(runMs);
    this.#settle?.(outcome);
    if (phase === "killed") this.#attempt.ended(outcome);
  }

  handBack(): void {
    if (this.#phase === "ended") return;
    this.#handedBack = this.#attempt.cause === undefined;
    this.ended(toHandedBack(this.#attempt));
  }

  kill(): boolean {
    if (this.#phase !== "running") return false;
    this.#phase = "killed"; // before the executor may say, within the call, that it has ended
    if (this.#attempt.lane.executor.kill(this)) return true;
    if (this.#phase === "killed") this.#phase = "running";
    return false;
  }
}
