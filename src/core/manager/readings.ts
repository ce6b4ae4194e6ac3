import type { GroupReading, Readings } from "../../ports/instrumentation.js";
import { type GroupTally, OTHER } from "../../task/group-tally.js";
import type { LaneName } from "../../task/lane-name.js";
import type { QueueGroup } from "../queue/task-queue.js";
import type { Core } from "./core.js";
import { toHealth, toStats } from "./stats.js";

/** Reads everything that can be read off the parts of a manager. */
export function toReadings(core: Core): Readings {
  return {
    stats: toStats(core),
    health: toHealth(core),
    durable: core.durable !== undefined,
    threaded: core.lanes.threads !== undefined,
    groups: readGroups(core),
    tallies: core.tallies,
    drops: core.results.drops,
    limitedMs: core.dispatcher.limitedMs(core.clock.now()),
  };
}

type OpenReading = { -readonly [K in keyof GroupReading]: GroupReading[K] };

/**
 * One for each tally, also where nothing waits or runs: what a reader of gauges is not told of keeps its last
 * value there.
 */
function readGroups({ lanes, planner, queues, runner, tallies }: Core): readonly GroupReading[] {
  const readings = {
    inline: new Map<GroupTally, OpenReading>(),
    threads: new Map<GroupTally, OpenReading>(),
  };
  const readingOf = (tally: GroupTally, lane: LaneName) => {
    let reading = readings[lane].get(tally);
    if (reading === undefined) {
      const { queue, handler } = tally;
      reading = { queue, handler, lane, queued: 0, running: 0 };
      readings[lane].set(tally, reading);
    }
    return reading;
  };
  for (const tally of tallies) {
    readingOf(tally, planner.laneOf(tally.handler));
    if (tally.handler === OTHER && lanes.threads !== undefined) readingOf(tally, "threads");
  }
  for (const queue of queues.queues())
    for (const { handler, size } of queue.groups as readonly QueueGroup[])
      readingOf(tallies.of(queue.name, handler?.name), planner.laneOf(handler?.name)).queued += size;
  for (const { task } of runner.attempts()) readingOf(task.tally, task.profile.lane).running++;
  return [...readings.inline.values(), ...readings.threads.values()];
}
