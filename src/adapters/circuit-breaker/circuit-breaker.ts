import type { Clock } from "../../ports/clock.js";
import {
  type Check,
  type Checks,
  duration,
  expected,
  having,
  integer,
  readOptions,
} from "../../task/checks.js";
import type { Middleware } from "../../task/middleware.js";
import type { TaskContext } from "../../task/task-context.js";
import { Circuit, type CircuitSettings } from "./circuit.js";

/** Which attempts share a circuit: those of a handler, of a queue, or with one key by a function. */
export type CircuitScope = "handler" | "queue" | ((context: TaskContext) => string);

/** Settings of `circuitBreaker`. */
export interface CircuitBreakerOptions {
  /** So many attempts in a row that fail open the circuit, from 1 up. Default 5. */
  consecutiveFailures?: number | undefined;
  /** How long an open circuit stays so before one attempt is let through, in milliseconds. Default 30,000. */
  resetAfterMs?: number | undefined;
  /**
   * What has a circuit of its own. Default `"handler"`: each handler, and for plain functions each queue. A
   * function that throws, or gives no text, fails the attempt. At most 1,000 circuits are kept; the one that
   * was used longest ago is forgotten.
   */
  per?: CircuitScope | undefined;
  /** What times the circuits; `ManualClock` serves tests. Default: the system. */
  clock?: Pick<Clock, "now"> | undefined;
}

const MAX_CIRCUITS = 1_000;

const scopeCheck: Check<CircuitScope> = (value, path) => {
  if (value === "handler" || value === "queue" || typeof value === "function") return value as CircuitScope;
  throw expected(path, '"handler", "queue" or a function', value);
};

const CHECKS: Checks<CircuitBreakerOptions> = {
  consecutiveFailures: integer(1),
  resetAfterMs: duration(1),
  per: scopeCheck,
  clock: having<Pick<Clock, "now">>("a clock", "now"),
};

/**
 * Middleware that leaves a service alone which fails. After `consecutiveFailures` the circuit is open: tasks
 * are rescheduled for when it is due, without running and without using an attempt. Then one attempt is let
 * through: its success closes the circuit, its failure opens it again. Timeouts are failures; whatever a
 * handler steers by, and an attempt that is cancelled or stopped, is neither.
 * @throws {OptionError}
 */
export function circuitBreaker(options?: CircuitBreakerOptions): Middleware {
  const read = readOptions<CircuitBreakerOptions>("", options, CHECKS);
  const { consecutiveFailures = 5, resetAfterMs = 30_000, per = "handler", clock = performance } = read;
  const circuits = new Circuits({ consecutiveFailures, resetAfterMs, clock });
  return {
    name: "circuit-breaker",
    attempt: (context, next) => circuits.of(toKey(per, context)).run(context, next),
  };
}

function toKey(per: CircuitScope, context: TaskContext): string {
  const { handler, queue } = context;
  if (per === "queue") return queue;
  if (per === "handler") return handler === undefined ? `queue ${queue}` : `handler ${handler}`;
  const key: unknown = per(context);
  if (typeof key !== "string") throw expected("per", "a function that gives a string", key);
  return key;
}

/** Circuits by key, the one that was used last at the end. */
class Circuits {
  readonly #settings: CircuitSettings;
  readonly #circuits = new Map<string, Circuit>();

  constructor(settings: CircuitSettings) {
    this.#settings = settings;
  }

  of(key: string): Circuit {
    const circuit = this.#circuits.get(key) ?? new Circuit(this.#settings);
    this.#circuits.delete(key);
    this.#circuits.set(key, circuit);
    if (this.#circuits.size > MAX_CIRCUITS) {
      for (const oldest of this.#circuits.keys()) {
        this.#circuits.delete(oldest);
        break;
      }
    }
    return circuit;
  }
}
