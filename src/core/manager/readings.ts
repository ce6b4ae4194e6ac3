import type { GroupReading, Readings } from "../../ports/instrumentation.js";
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

/** Groups are forgotten with their queues, so that one that is not here has nothing. */
function readGroups({ lane, queues, runner, tallies }: Core): readonly GroupReading[] {
  const readings = new Map<string, { -readonly [K in keyof GroupReading]: GroupReading[K] }>();
  const readingOf = (queue: string, handler: string | undefined) => {
    const tally = tallies.of(queue, handler);
    const key = `${tally.queue}\n${handler ?? ""}`;
    let reading = readings.get(key);
    if (reading === undefined) {
      reading = { queue: tally.queue, handler, lane: lane.executor.lane, queued: 0, running: 0 };
      readings.set(key, reading);
    }
    return reading;
  };
  for (const queue of queues.queues())
    for (const { handler, size } of queue.groups as readonly QueueGroup[])
      readingOf(queue.name, handler?.name).queued += size;
  for (const { task } of runner.attempts()) readingOf(task.queue, task.handler).running++;
  return [...readings.values()];
}
