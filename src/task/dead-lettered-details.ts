/** A durable task that has become a dead letter. */
export interface DeadLetteredDetails {
  /** Of the task. */
  readonly id: string;
  /** Name of its handler. */
  readonly handler: string;
  readonly queue: string;
  /** A `TaskReason`: `error`, `timeout`, `deadline`, or `crash-loop`. */
  readonly reason: string;
  /** Attempts that counted. */
  readonly attempts: number;
}
