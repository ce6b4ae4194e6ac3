import type { ValueError, ValueIssue } from "../errors.js";
import { cutText, UNREADABLE_TEXT } from "./envelope-values.js";
import { BUILT_IN_CLASSES, CATALOGUE_CLASSES, isError } from "./error-classes.js";
import { MAX_NAME_LENGTH } from "./error-envelope.js";
import { findSteering, type Steering } from "./steering.js";

/** How far the causes are counted that there is no room for. */
export const COUNTED_CAUSES = 1_000;

/** These have places of their own in an envelope. */
const PLACED: ReadonlySet<string> = new Set(["name", "message", "stack", "cause"]);

/** How many errors there are in a chain of causes, its first included. */
export function countCauses(error: Error): number {
  let count = 0;
  for (let link: unknown = error; count <= COUNTED_CAUSES && isError(link); link = read(link, "cause"))
    count++;
  return count;
}

/** The steering that this error is, and not what its causes are. */
export function steeringOf(error: Error): Steering | undefined {
  if (read(error, "steering") === undefined) return undefined; // spares nearly all the search
  const steering = findSteering(error);
  return steering === error ? steering : undefined;
}

/** A class of ours counts only where the error was made by it: anybody can write our codes. */
export function typeOf(error: Error): string {
  try {
    const { code } = error as { code?: unknown };
    const ours = typeof code === "string" ? CATALOGUE_CLASSES.get(code) : undefined;
    if (ours !== undefined && Object.prototype.isPrototypeOf.call(ours.type.prototype, error))
      return code as string;
    if (error instanceof DOMException) return "DOMException";
    for (const [name, { prototype }] of BUILT_IN_CLASSES)
      if (Object.prototype.isPrototypeOf.call(prototype, error)) return name;
    const foreign = readText(error, "name"); // of another realm
    return foreign !== undefined && BUILT_IN_CLASSES.has(foreign) ? foreign : "Error";
  } catch {
    return "Error";
  }
}

/** `code` comes along wherever it is: as a getter of a class, or hidden. */
export function fieldNames(error: Error, type: string): readonly string[] {
  const hasPlace = (key: string) => PLACED.has(key) || (key === "errors" && type === "AggregateError");
  try {
    const names = Object.keys(error).filter((key) => !hasPlace(key));
    if (type === "DOMException" || names.includes("code")) return names;
    const { code } = error as { code?: unknown };
    return typeof code === "string" || typeof code === "number" ? ["code", ...names] : names;
  } catch {
    return [];
  }
}

export function hiddenTaskId(error: Error): { taskId?: string } {
  try {
    const own = Object.getOwnPropertyDescriptor(error, "taskId");
    if (own === undefined || own.enumerable === true || typeof own.value !== "string") return {};
    return { taskId: cutText(own.value, MAX_NAME_LENGTH) };
  } catch {
    return {};
  }
}

/**
 * The issues that there is room for, and how many more there are: an error may have more of them than an
 * envelope has room for in one field.
 */
export function readIssues(error: Error, most: number): { kept: ValueIssue[]; omitted: number } {
  const { issues, omittedIssues } = error as ValueError;
  const kept: ValueIssue[] = [];
  let room = most;
  for (const { message, path } of issues) {
    room -= message.length + path.length;
    if (room < 0) break;
    kept.push({ message, path });
  }
  return { kept, omitted: omittedIssues + issues.length - kept.length };
}

/** Of one that throws when it is read, a text that says so. */
export function read(error: object, key: string): unknown {
  try {
    return Reflect.get(error, key);
  } catch {
    return UNREADABLE_TEXT;
  }
}

export function readText(error: Error, key: "name" | "stack"): string | undefined {
  const text = read(error, key);
  return typeof text === "string" && text !== UNREADABLE_TEXT ? text : undefined;
}

export function readMessage(error: Error): string {
  const message = read(error, "message");
  if (typeof message === "string") return message;
  return message === undefined ? "" : `[${typeof message}]`;
}
