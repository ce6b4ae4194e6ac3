import { Gate } from "./gate.js";

/** What the tasks of one handler have in common, over all queues and lanes. */
export class HandlerGate<G = unknown> extends Gate {
  /** The groups of its tasks, one for each queue and lane in which some have waited. */
  readonly groups = new Set<G>();
}
