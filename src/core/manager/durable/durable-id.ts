import { type Check, expected, queueName } from "../../../task/checks.js";

/** Separates a durable task's queue from the rest of its id. */
const QUEUE_END = ":";

/** A queue's name and that of a task within it. */
const MAX_LENGTH = 257;
const ALLOWED = /^[A-Za-z0-9_.:-]+$/;

export function toDurableId(queue: string, rest: string): string {
  return `${queue}${QUEUE_END}${rest}`;
}

/** The queue of a durable task. */
export function queueOf(id: string): string {
  return id.slice(0, id.indexOf(QUEUE_END));
}

/** Whether a text could be the id of a durable task. */
export function isDurableId(id: string): boolean {
  const end = id.indexOf(QUEUE_END);
  return end > 0 && end < id.length - 1;
}

/** The id of a durable task as an argument. */
export const durableId: Check<string> = (value, path) => {
  if (typeof value !== "string" || value.length > MAX_LENGTH || !ALLOWED.test(value) || !isDurableId(value))
    throw expected(path, "the id of a durable task, `queue:rest`", value);
  queueName(queueOf(value), path);
  return value;
};
