import type { PayloadError } from "../../errors.js";
import { refusedPayload } from "../../task/refused-payload.js";
import { skipRetry } from "../../task/steering.js";
import { toText } from "./to-text.js";

/** Why what belongs to a task cannot be sent to a thread. */
export function unsentError(handler: string, path: string, cause: unknown): PayloadError {
  return refusedPayload(handler, path, `cannot be sent to a thread: ${toText(cause)}`, { cause });
}

/** Why an attempt cannot run whose buffers went with an earlier one. */
export function movedError(handler: string): PayloadError {
  return refusedPayload(
    handler,
    "payload",
    "went to a thread with an earlier start (`transfer`), and is no more",
  );
}

/** Why an attempt cannot run: its buffers were to move, and to copy them is not what was asked for. */
export function unmovedError(handler: string): Error {
  const problem = "names what cannot be moved to a thread, or the payload cannot be sent";
  return skipRetry(refusedPayload(handler, "transfer", problem));
}
