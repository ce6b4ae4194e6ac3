import type { Random } from "../../ports/random.js";

/** Chance as the engine draws it; good for jitter, not for secrets. */
export class SystemRandom implements Random {
  next(): number {
    return Math.random();
  }
}
