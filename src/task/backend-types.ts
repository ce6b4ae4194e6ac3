import type { Refusal } from "./handler-types.js";

/** Options of which the compiler learns `B`: what they say of a backend, and nothing else. */
export type BackendIn<B> = Pick<B, keyof B & "backend">;

interface Allowed {
  readonly backend: unknown;
}

/**
 * Adds nothing to a parameter where there may be a backend, and lets nothing through where there is none.
 * Were it a conditional type, a manager that has one could not be given where there only may be one.
 */
export type NeedsBackend<B> =
  | Allowed[keyof B & "backend"]
  | Refusal<"give the task manager a backend, for durable tasks">;
