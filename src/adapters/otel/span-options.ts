import type { Attributes } from "@opentelemetry/api";
import type { Task } from "../../task/task.js";

/** Names of operations, which are their types too: the messaging conventions have both. */
type Operation = "send" | "process";

/**
 * Name of a span, by the messaging conventions: the operation and where to. Names of queues may come from
 * data, while names of spans must be few, so that a queue is named only where metrics name it.
 */
export function toSpanName(operation: Operation, { tally }: Task): string {
  return `${operation} ${tally.queue}`;
}

/** Attributes of a span, by the messaging conventions 1.44; nothing of what the task is about. */
export function toSpanAttributes(operation: Operation, task: Task, manager: string | undefined): Attributes {
  const attributes: Attributes = {
    "messaging.system": "millrace",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": task.queue,
    "messaging.message.id": task.id,
  };
  const correlationId = task.details?.correlationId;
  if (correlationId !== undefined) attributes["messaging.message.conversation_id"] = correlationId;
  if (task.handler !== undefined) attributes["millrace.handler"] = task.handler;
  if (operation === "process") attributes["millrace.attempt"] = task.attempt;
  if (manager !== undefined) attributes["manager"] = manager;
  return attributes;
}
