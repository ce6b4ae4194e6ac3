import type { ErrorEnvelope } from "./error-envelope.js";
export function toEnvelope(thrown: unknown): ErrorEnvelope {
  return {
    v: 1,
    error:
      thrown instanceof Error
        ? { name: thrown.name, message: thrown.message, stack: thrown.stack }
        : String(thrown),
  };
}
