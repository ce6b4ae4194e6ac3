import type { Clock } from "../../ports/clock.js";
import type { Task } from "../../task/task.js";

/** So many tasks are visited in one turn of the event loop, if time allows. */
const VISITS_PER_TURN = 1_000;

/** After so many visits the clock is looked at, and after so long, the loop gets its turn. */
const VISITS_PER_LOOK = 100;
const MAX_TURN_MS = 10;

/** Visits many tasks without holding the event loop: in portions, a turn for each. */
export async function visitInPortions(
  tasks: Iterable<Task>,
  clock: Clock,
  visit: (task: Task) => void,
): Promise<void> {
  let visited = 0;
  let turnEndsAt = clock.now() + MAX_TURN_MS;
  for (const task of tasks) {
    visit(task);
    visited++;
    if (visited % VISITS_PER_LOOK !== 0) continue;
    if (visited < VISITS_PER_TURN && clock.now() < turnEndsAt) continue;
    await nextTurn(clock);
    visited = 0;
    turnEndsAt = clock.now() + MAX_TURN_MS;
  }
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.setImmediate(resolve));
}
