import type { TaskDetails } from "../../task/task.js";
import type { CheckedTaskOptions } from "../../task/task-options.js";
import { Transfer } from "../../task/transfer.js";

/** What few tasks have; undefined when this one has none of it. */
export function toDetails(
  options: CheckedTaskOptions,
  expiresAt: number | undefined,
): TaskDetails | undefined {
  const { id, name, description, metadata, correlationId, signal, cost, idempotencyKey } = options;
  const isLabelled = id ?? name ?? description ?? metadata ?? correlationId;
  const transfer = options.transfer === undefined ? undefined : new Transfer(options.transfer);
  if ((isLabelled ?? signal ?? cost ?? expiresAt ?? idempotencyKey ?? transfer) === undefined)
    return undefined;
  return {
    id,
    name,
    description,
    metadata,
    correlationId,
    signal,
    cost,
    expiresAt,
    idempotencyKey,
    transfer,
  };
}
