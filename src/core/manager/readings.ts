import type { GroupReading, Readings } from "../../ports/instrumentation.js";
import type { GroupTally } from "../../task/group-tally.js";
import type { QueueGroup } from "../queue/task-queue.js";
import type { Core } from "./core.js";
import { toHealth, toStats } from "./stats.js";

/** Reads everything that can be read off the parts of a manager. */
export function toReadings(core: Core): Readings {
  return {
    stats: toStats(core),
    health: toHealth(core),
    groups: readGroups(core),
    tallies: core.tallies,
    drops: core.results.drops,
    limitedMs: core.dispatcher.limitedMs(core.clock.now()),
  };
}

/**
 * One for each tally, also where nothing waits or runs: what a reader of gauges is not told of keeps its last
 * value there.
 */
function readGroups({ planner, queues, runner, tallies }: Core): readonly GroupReading[] {
  const readings = new Map<GroupTally, { -readonly [K in keyof GroupReading]: GroupReading[K] }>();
  const readingOf = (tally: GroupTally) => {
    let reading = readings.get(tally);
    if (reading === undefined) {
      const { queue, handler } = tally;
      reading = { queue, handler, lane: planner.laneOf(handler), queued: 0, running: 0 };
      readings.set(tally, reading);
    }
    return reading;
  };
  for (const tally of tallies) readingOf(tally);
  for (const queue of queues.queues())
    for (const { handler, size } of queue.groups as readonly QueueGroup[])
      readingOf(tallies.of(queue.name, handler?.name)).queued += size;
  for (const { task } of runner.attempts()) readingOf(task.tally).running++;
  return [...readings.values()];
}
