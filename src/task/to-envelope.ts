import type { ValueIssue } from "../errors.js";
import { cutText, UNREADABLE_TEXT, ValueEncoder } from "./envelope-values.js";
import { CATALOGUE_CLASSES, isError } from "./error-classes.js";
import {
  ENVELOPE_VERSION,
  type Encoded,
  type EnvelopeLimits,
  type EnvelopeNode,
  type ErrorEnvelope,
  type ErrorNode,
  LEAST_LENGTH,
  MAX_ERROR_FIELDS,
  MAX_NAME_LENGTH,
  THREAD_LIMITS,
} from "./error-envelope.js";
import {
  COUNTED_CAUSES,
  countCauses,
  fieldNames,
  hiddenTaskId,
  read,
  readIssues,
  readMessage,
  readText,
  steeringOf,
  typeOf,
} from "./error-parts.js";
import type { Steering } from "./steering.js";

/**
 * Puts whatever was thrown into an envelope that can be sent to another thread: errors with all they carry,
 * other values as structured clone takes them. What has no room is cut or left out, and says so; what cannot
 * be cloned becomes a short text. Getters are called.
 *
 * It never throws, and what it gives can always be cloned.
 */
export function toEnvelope(thrown: unknown, limits: EnvelopeLimits = THREAD_LIMITS): ErrorEnvelope {
  try {
    return new EnvelopeWriter(limits).write(thrown);
  } catch {
    return { v: ENVELOPE_VERSION, thrown: "[something that cannot be read]", nodes: [] };
  }
}

class EnvelopeWriter {
  readonly #nodes: EnvelopeNode[] = [];
  /** The place of each object that has one. */
  readonly #places = new Map<object, number>();
  /** Errors that have a place and are to be written, the nearest first. No chain of causes is too long. */
  readonly #waiting: { readonly error: Error; readonly at: number }[] = [];
  #values: ValueEncoder | undefined;
  readonly #limits: EnvelopeLimits;
  #errors = 0;
  #room: number;

  constructor(limits: EnvelopeLimits) {
    this.#limits = limits;
    this.#room = limits.bytes;
  }

  write(thrown: unknown): ErrorEnvelope {
    const encoded = this.#encode(thrown);
    for (let next = 0; next < this.#waiting.length; next++) {
      const { error, at } = this.#waiting[next] as { error: Error; at: number };
      this.#nodes[at] = this.#writeError(error);
    }
    return { v: ENVELOPE_VERSION, thrown: encoded, nodes: this.#nodes };
  }

  #encode(value: unknown): Encoded {
    if (typeof value === "string") return this.#take(value, this.#limits.fieldBytes);
    return isError(value) ? this.#refer(value) : this.#encodeValue(value);
  }

  /** A place for an error, or a text where there is none. */
  #refer(error: Error): Encoded {
    const place = this.#places.get(error);
    if (place !== undefined) return { at: place };
    if (this.#errors >= this.#limits.errors) return tellOmitted(countCauses(error));
    this.#errors++;
    const at = this.#nodes.push(UNREADABLE) - 1;
    this.#places.set(error, at);
    this.#waiting.push({ error, at });
    return { at };
  }

  #encodeValue(value: unknown): Encoded {
    if (value === null || value === undefined || typeof value === "boolean" || typeof value === "number")
      return value;
    this.#values ??= new ValueEncoder(this.#nodes, this.#places, (error) => this.#refer(error));
    const waiting = this.#waiting.length;
    const errors = this.#errors;
    const most = Math.min(this.#limits.fieldBytes, Math.max(this.#room, LEAST_LENGTH));
    const written = this.#values.encode(value, most);
    this.#room -= this.#values.bytes;
    if (written !== undefined) return written.encoded;
    this.#waiting.length = waiting;
    this.#errors = errors;
    return `[takes more than ${most} bytes]`;
  }

  #writeError(error: Error): EnvelopeNode {
    try {
      const steering = steeringOf(error);
      return steering === undefined ? this.#writeOrdinary(error) : this.#writeSteering(steering);
    } catch {
      return UNREADABLE;
    }
  }

  #writeSteering(steering: Steering): EnvelopeNode {
    switch (steering.steering) {
      case "reschedule":
        return { kind: "reschedule", delayMs: steering.delayMs };
      case "rate-limited":
        return { kind: "rate-limited", retryAfterMs: steering.retryAfterMs, scope: steering.scope };
      case "skip-retry":
        return { kind: "skip-retry", value: this.#encode(steering.cause) };
      case "cancel-task":
        return { kind: "cancel-task", value: this.#encode(steering.reason) };
    }
  }

  #writeOrdinary(error: Error): ErrorNode {
    const type = typeOf(error);
    const given = readMessage(error);
    const message = this.#take(given, this.#limits.messageLength);
    return {
      kind: "error",
      type,
      name: cutText(readText(error, "name") ?? "Error", MAX_NAME_LENGTH),
      message,
      stack: this.#takeStack(readText(error, "stack"), given, message),
      ...this.#writeCause(error),
      ...(type === "AggregateError" ? { errors: this.#writeErrors(error as AggregateError) } : undefined),
      ...hiddenTaskId(error),
      ...this.#writeFields(error, type),
    };
  }

  #take(text: string, most: number): string {
    const taken = cutText(text, Math.min(most, Math.max(this.#room, LEAST_LENGTH)));
    this.#room -= taken.length;
    return taken;
  }

  /** A stack begins with the message: where that was too long, there would be no room for the frames. */
  #takeStack(stack: string | undefined, given: string, message: string): string | undefined {
    if (stack === undefined) return undefined;
    const at = given.length > this.#limits.messageLength ? stack.indexOf(given) : -1;
    const told = at === -1 ? stack : stack.slice(0, at) + message + stack.slice(at + given.length);
    return this.#take(told, this.#limits.stackLength);
  }

  #writeCause(error: Error): { cause?: Encoded } {
    try {
      if (!("cause" in error)) return {};
      const { cause } = error;
      return cause === undefined && !Object.hasOwn(error, "cause") ? {} : { cause: this.#encode(cause) };
    } catch {
      return { cause: UNREADABLE_TEXT };
    }
  }

  #writeErrors(aggregate: AggregateError): Encoded {
    const values: Encoded[] = [];
    const at = this.#nodes.push({ kind: "list", keys: [], values }) - 1;
    try {
      const { errors } = aggregate;
      for (let index = 0; index < errors.length; index++) {
        if (index >= this.#limits.errors || this.#errors >= this.#limits.errors) {
          values.push(tellOmitted(errors.length - index));
          break;
        }
        values.push(this.#encode(errors[index]));
      }
    } catch {
      values.push(UNREADABLE_TEXT);
    }
    return { at };
  }

  #writeFields(error: Error, type: string): Pick<ErrorNode, "keys" | "values"> {
    const keys: string[] = [];
    const values: Encoded[] = [];
    const required = CATALOGUE_CLASSES.get(type)?.fields;
    const issues =
      required !== undefined && "issues" in required ? readIssues(error, this.#limits.fieldBytes) : undefined;
    let omittedFields = 0;
    for (const key of fieldNames(error, type)) {
      const isRequired = required !== undefined && Object.hasOwn(required, key);
      if (
        !isRequired &&
        (keys.length >= MAX_ERROR_FIELDS || this.#room <= 0 || key.length > MAX_NAME_LENGTH)
      ) {
        omittedFields++;
        continue;
      }
      this.#room -= key.length;
      keys.push(key);
      if (issues !== undefined && key === "issues") values.push(this.#writeIssues(issues.kept));
      else if (issues !== undefined && key === "omittedIssues") values.push(issues.omitted);
      else values.push(this.#encode(read(error, key)));
    }
    if (omittedFields > 0 && !keys.includes("omittedFields")) {
      keys.push("omittedFields");
      values.push(omittedFields);
    }
    return { keys, values };
  }

  #writeIssues(issues: readonly ValueIssue[]): Encoded {
    return { at: this.#nodes.push({ kind: "copy", value: issues }) - 1 };
  }
}

/** What stands for an error that could not be read, or has not been written yet. */
const UNREADABLE: ErrorNode = {
  kind: "error",
  type: "Error",
  name: "Error",
  message: UNREADABLE_TEXT,
  stack: undefined,
  keys: [],
  values: [],
};

function tellOmitted(count: number): string {
  if (count > COUNTED_CAUSES) return `[more than ${COUNTED_CAUSES} errors left out]`;
  return count === 1 ? "[1 more error left out]" : `[${count} more errors left out]`;
}
