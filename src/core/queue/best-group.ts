import type { LaneGate } from "./group.js";
import type { HandlerGate } from "./handler-gate.js";
import type { QueueGroup, TaskQueue } from "./task-queue.js";

/** Whether a queue has something for a lane. */
export function hasEligible(queue: TaskQueue, lane: LaneGate): boolean {
  for (const group of queue.groups) if (group.lane === lane && group.eligible) return true;
  return false;
}

/** Whose head goes first of those that are eligible, in the open lanes. */
export function bestGroup(queue: TaskQueue): QueueGroup | undefined {
  let best: QueueGroup | undefined;
  for (const group of queue.groups) {
    if (group.lane.open && group.eligible && (best === undefined || goesFirst(group, best))) best = group;
  }
  return best;
}

function goesFirst(group: QueueGroup, other: QueueGroup): boolean {
  const [one, two] = [group.head, other.head];
  if (one === undefined || two === undefined) return one !== undefined;
  return one.order !== two.order ? one.order < two.order : one.sequence < two.sequence;
}

/** The group of a queue whose tasks start in that lane and have that handler. */
export function groupOf(
  queue: TaskQueue,
  lane: LaneGate,
  handler: HandlerGate<QueueGroup> | undefined,
): QueueGroup | undefined {
  for (const group of queue.groups) if (group.lane === lane && group.handler === handler) return group;
  return undefined;
}
