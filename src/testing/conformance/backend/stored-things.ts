import assert from "node:assert/strict";
import type { ClaimableHandler, NewTask } from "../../../ports/backend.js";
import type { StoredError, StoredOutcome } from "../../../task/stored-outcome.js";

/** An error as a store keeps it: text that means nothing to it. */
export const STORED_ERROR: StoredError = '{"v":1,"thrown":"no, “never”\\n","nodes":[]}';

/** A task that is like most others. */
export function newTask(id: string, said: Partial<NewTask> = {}): NewTask {
  // One literal: a run makes many thousands, and spreading several takes twenty times as long.
  return {
    id,
    handler: "work",
    payload: Uint8Array.of(1, 2, 3),
    envelope: `{"id":"${id}"}`,
    priority: 0,
    weight: 1,
    cost: 1,
    maxDeliveries: 10,
    delayMs: 0,
    runAt: undefined,
    idempotency: undefined,
    ...said,
  };
}

export function newTasks(count: number, said: Partial<NewTask> = {}, name = "q:task"): readonly NewTask[] {
  return Array.from({ length: count }, (_, index) => newTask(`${name}-${index}`, said));
}

/** Handlers of lane 0 that may run as often as there are slots. */
export function handlers(...names: readonly string[]): readonly ClaimableHandler[] {
  return names.map((name) => ({ name, lane: 0, room: Number.POSITIVE_INFINITY }));
}

export function completed(value?: Uint8Array): StoredOutcome {
  return { state: "completed", reason: undefined, value, error: undefined, charged: true };
}

/** Whatever kind of array holds them. */
export function sameBytes(found: Uint8Array | undefined, expected: Uint8Array, what = "the bytes"): void {
  assert(found instanceof Uint8Array, `${what} are a Uint8Array`);
  if (Buffer.compare(found, expected) === 0) return;
  assert.equal(Buffer.from(found).toString("hex"), Buffer.from(expected).toString("hex"), what);
}
