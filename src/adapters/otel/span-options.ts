import type { Attributes } from "@opentelemetry/api";
import type { Task, TaskDetails } from "../../task/task.js";

/** Names of operations, which are their types too: the messaging conventions have both. */
type Operation = "send" | "process";

/** What spans tell of a task; a durable one that is on its way to the store has made no attempt yet. */
export interface SpanTask extends Pick<Task, "id" | "queue" | "handler" | "tally"> {
  readonly attempt?: number;
  readonly details: Pick<TaskDetails, "correlationId" | "deliveries"> | undefined;
}

/**
 * Name of a span, by the messaging conventions: the operation and where to. Names of queues may come from
 * data, while names of spans must be few, so that a queue is named only where metrics name it.
 */
export function toSpanName(operation: Operation, { tally }: SpanTask): string {
  return `${operation} ${tally.queue}`;
}

/** Attributes of a span, by the messaging conventions 1.44; nothing of what the task is about. */
export function toSpanAttributes(
  operation: Operation,
  task: SpanTask,
  manager: string | undefined,
): Attributes {
  const attributes: Attributes = {
    "messaging.system": "millrace",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": task.queue,
    "messaging.message.id": task.id,
  };
  const { attempt, details, handler } = task;
  const { correlationId, deliveries } = details ?? {};
  if (correlationId !== undefined) attributes["messaging.message.conversation_id"] = correlationId;
  if (handler !== undefined) attributes["millrace.handler"] = handler;
  if (operation === "process" && attempt !== undefined) attributes["millrace.attempt"] = attempt;
  if (deliveries !== undefined) attributes["millrace.deliveries"] = deliveries;
  if (manager !== undefined) attributes["manager"] = manager;
  return attributes;
}
