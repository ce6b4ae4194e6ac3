import type { HeldDeadLetter, ReplayAnswer, ReplayRequest } from "../../ports/backend-inspector.js";
import type { Places } from "./places.js";
import type { TaskRecord } from "./task-record.js";

/** The port's bound. */
const REPLAYS_PER_CALL = 1_000;

/** Puts dead letters of a queue back to work, in the order in which they died or were named. */
export function replayDeadLetters(places: Places, request: ReplayRequest): ReplayAnswer {
  const { handler, reason } = request;
  const chosen = candidates(places, request).filter(
    (record) =>
      (handler === undefined || record.handler === handler) &&
      (reason === undefined || record.outcome?.reason === reason),
  );
  const replayed: string[] = [];
  const held: HeldDeadLetter[] = [];
  for (const record of chosen) {
    const { id } = record;
    const heldBy = places.otherHolder(record); // that may be one of those before
    if (heldBy === undefined && replayed.length === REPLAYS_PER_CALL) return { replayed, held, more: true };
    if (heldBy !== undefined) held.push({ id, heldBy });
    else {
      places.replay(record);
      replayed.push(id);
    }
  }
  return { replayed, held, more: false };
}

function candidates(places: Places, { queue, ids }: ReplayRequest): readonly TaskRecord[] {
  if (ids === undefined) {
    const dead = [...(places.queue(queue)?.dead ?? [])];
    return dead.sort((one, other) => one.diedAs - other.diedAs);
  }
  return [...new Set(ids)].flatMap((id) => {
    const record = places.find(id);
    return record?.place === "dead" && record.queue === queue ? [record] : [];
  });
}
