import type { Backend } from "../../ports/backend.js";

/** Those that a manager of this process has: it closes its own when it has stopped, and nobody else's. */
const taken = new WeakSet<Backend>();

export function isTaken(backend: Backend): boolean {
  return taken.has(backend);
}

/** For good: a backend that was closed is of no use to anybody. */
export function take(backend: Backend): void {
  taken.add(backend);
}
