import type { Clock } from "../../ports/clock.js";
import type { HandlerDefinition } from "../../task/handler-definition.js";
import { FailureStreak } from "./failure-streak.js";
import { HandlerPace } from "./handler-pace.js";
import { MAX_BATCH } from "./task-words.js";
import type { HandlerKeeper } from "./thread-keeper.js";

/** A task may lose so many threads before it begins; the last one is taken for its own doing. */
const MAX_STRIKES = 3;

/** What is known of one handler. */
interface KnownHandler {
  readonly number: number;
  readonly pace: HandlerPace;
  readonly loads: FailureStreak;
}

/** What the threads have shown of their handlers: how fast they are, and whether they can be loaded. */
export class ThreadHandlers implements HandlerKeeper {
  readonly #clock: Clock;
  readonly #known = new Map<HandlerDefinition, KnownHandler>();
  /** How many threads were lost before a task began, by its work: few tasks are here. */
  readonly #strikes = new WeakMap<object, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  numberOf(handler: HandlerDefinition): number {
    return this.#of(handler).number;
  }

  batchSize(handler: HandlerDefinition): number {
    return Math.min(MAX_BATCH, this.#of(handler).pace.batchSize);
  }

  /** Whether loading it makes sense now; undefined when it does, else why not. */
  refusal(handler: HandlerDefinition): { readonly cause: unknown } | undefined {
    const { loads } = this.#of(handler);
    const now = this.#clock.now();
    if (!loads.mayTry(now)) return { cause: loads.cause };
    loads.tried(now);
    return undefined;
  }

  loaded(handler: HandlerDefinition): void {
    this.#of(handler).loads.succeeded();
  }

  failed(handler: HandlerDefinition, cause: unknown): void {
    this.#of(handler).loads.failed(cause, this.#clock.now());
  }

  ran(handler: HandlerDefinition, runMs: number): void {
    const { pace, loads } = this.#of(handler);
    pace.record(runMs);
    if (loads.failing) loads.succeeded(); // a thread that has loaded it before serves it well
  }

  struckOut(work: object): boolean {
    const strikes = (this.#strikes.get(work) ?? 0) + 1;
    this.#strikes.set(work, strikes);
    return strikes >= MAX_STRIKES;
  }

  failing(): readonly string[] {
    return [...this.#known].flatMap(([{ name }, { loads }]) => (loads.failing ? [name] : []));
  }

  #of(handler: HandlerDefinition): KnownHandler {
    let known = this.#known.get(handler);
    if (known === undefined) {
      known = { number: this.#known.size, pace: new HandlerPace(), loads: new FailureStreak() };
      this.#known.set(handler, known);
    }
    return known;
  }
}
