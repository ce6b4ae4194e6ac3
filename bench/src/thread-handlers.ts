// What runs in the threads of all contestants: each names this file, compiled, and one of its exports.

export interface Addition {
  readonly a: number;
  readonly b: number;
}

export function add({ a, b }: Addition): number {
  return a + b;
}

/** Steps of `spin` that take about a millisecond on the machine of the README's figures. */
export const STEPS_PER_MS = 600_000;

/** A fixed number of steps of arithmetic, so that a thread that has to wait for its core is noticed. */
export function spin(steps: number): number {
  let state = 1;
  for (let step = 0; step < steps; step += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state;
}
