import type { NewTask } from "../../src/ports/backend.js";
import type { Run } from "./run.js";
import type { SimulatedProcess } from "./simulated-process.js";
import type { Appointment } from "./timeline.js";

/** A lease as the store gave it. */
export interface AuditedLease {
  readonly id: string;
  readonly token: number;
  readonly process: SimulatedProcess;
  readonly claimedAt: number;
  /** By the timeline: who runs the task must have ended before. */
  validUntil: number;
  /** By the store's own reckoning. */
  expiresAt: number;
  /** What the holder has said of its end, as the store knows it. */
  reported: "ack" | "nack" | "deadLetter" | undefined;
  /** The same, though the store may have forgotten it. */
  confirmed: "ack" | "nack" | "deadLetter" | undefined;
  run: Run | undefined;
  /** The store's time or contents were tampered with while it was held, so that it may end early. */
  excused: boolean;
  /** The contents of the store to which it belongs. */
  readonly era: number;
  watch: Appointment | undefined;
}

export type Ending = "completed" | "failed" | "cancelled" | "crashed";

/** A task as the audit follows it, from the moment when the store accepted it. */
export class AuditedTask {
  readonly task: NewTask;
  readonly requestId: string;
  /** A producer was told that the store has it. */
  acknowledged = false;
  /** The store has forgotten it, which it may where its contents were thrown away. */
  lost = false;
  /** Claims in a row without a word from the holder. */
  unreported = 0;
  /** Attempts that failed, and count. */
  failures = 0;
  /** The largest token it was ever claimed with. */
  token = 0;
  lease: AuditedLease | undefined;
  readonly leases = new Map<number, AuditedLease>();
  ending: Ending | undefined;
  /** By the timeline: from then on it waits for a claim. */
  readyAt = 0;
  /** Somebody wanted it to be cancelled while it was leased. */
  cancelAsked = false;
  /** Leases with tokens up to this one are of a task that the store has forgotten since. */
  formerToken = 0;
  /** Ends of which a process was told that the store has them. */
  published = 0;

  constructor(requestId: string, task: NewTask) {
    this.requestId = requestId;
    this.task = task;
  }

  /** The store has it again, after it had forgotten it: holders may still speak of leases from before. */
  follow(former: AuditedTask): void {
    this.token = former.token;
    this.formerToken = former.token;
    for (const [token, lease] of former.leases) this.leases.set(token, lease);
  }

  get id(): string {
    return this.task.id;
  }

  get live(): boolean {
    return this.ending === undefined && !this.lost;
  }
}
