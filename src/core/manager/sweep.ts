import type { Clock } from "../../ports/clock.js";
import type { Task } from "../../task/task.js";

/** So many tasks are visited in one turn of the event loop. */
const VISITS_PER_TURN = 1_000;

/** Visits many tasks without holding the event loop: in portions, a turn for each. */
export async function visitInPortions(
  tasks: Iterable<Task>,
  clock: Clock,
  visit: (task: Task) => void,
): Promise<void> {
  let visited = 0;
  for (const task of tasks) {
    visit(task);
    visited++;
    if (visited % VISITS_PER_TURN === 0) await nextTurn(clock);
  }
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.setImmediate(resolve));
}
