/** An error as the store keeps it: the JSON text of an error envelope. */
export type StoredError = string;

/** How a durable task has ended, as the store keeps it. */
export interface StoredOutcome {
  readonly state: "completed" | "failed" | "cancelled";
  /** A `TaskReason`; undefined where it completed. */
  readonly reason: string | undefined;
  /** What it returned, encoded; undefined where that was nothing, or it did not complete. */
  readonly value: Uint8Array | undefined;
  /** Undefined where it completed. */
  readonly error: StoredError | undefined;
  /** Whether the attempt that ended it counts. */
  readonly charged: boolean;
}
