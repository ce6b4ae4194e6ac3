import type { RateLimitScope } from "./steering.js";

/** An envelope of another version is not read: a thread may have loaded another copy of Millrace. */
export const ENVELOPE_VERSION = 1;

/** In UTF-16 units. Messages longer than a few pages hold a whole response, or a query. */
export const MAX_MESSAGE_LENGTH = 8_192;

/** In UTF-16 units: about 150 frames, where V8 keeps ten unless it is told otherwise. */
export const MAX_STACK_LENGTH = 16_384;

/** As many as anybody looks at; an AggregateError can hold thousands, a getter make causes without end. */
export const MAX_ENVELOPE_ERRORS = 64;

/** Of one error. Those of Node and of common clients have fewer than ten. */
export const MAX_ERROR_FIELDS = 64;

/** Of one field: enough for the answer of a service, and not for the request body that caused it. */
export const MAX_FIELD_BYTES = 16_384;

/** Of all texts and fields together, about: what fails often must not cost more than what succeeds. */
export const MAX_ENVELOPE_BYTES = 262_144;

/** Of names and keys, in UTF-16 units: longer ones name nothing. */
export const MAX_NAME_LENGTH = 256;

/** How much of what was thrown an envelope holds; units and bytes as of the constants above. */
export interface EnvelopeLimits {
  readonly messageLength: number;
  readonly stackLength: number;
  readonly errors: number;
  readonly fieldBytes: number;
  readonly bytes: number;
}

/** What may go from thread to thread. */
export const THREAD_LIMITS: EnvelopeLimits = Object.freeze({
  messageLength: MAX_MESSAGE_LENGTH,
  stackLength: MAX_STACK_LENGTH,
  errors: MAX_ENVELOPE_ERRORS,
  fieldBytes: MAX_FIELD_BYTES,
  bytes: MAX_ENVELOPE_BYTES,
});

/** What each error may say even when there is no room left in its envelope, in UTF-16 units. */
export const LEAST_LENGTH = 512;

/**
 * Whatever was thrown, as plain values that the structured clone algorithm takes. Objects are in a table and
 * refer to each other by their place in it, so that cycles and identities survive, and no depth is too deep.
 */
export interface ErrorEnvelope {
  readonly v: typeof ENVELOPE_VERSION;
  readonly thrown: Encoded;
  readonly nodes: readonly EnvelopeNode[];
}

/** A primitive as it is, or the place of a node. */
export type Encoded = string | number | boolean | bigint | null | undefined | NodeReference;

export interface NodeReference {
  readonly at: number;
}

export type EnvelopeNode = ErrorNode | SteeringNode | ContainerNode | CopyNode;

export interface ErrorNode {
  readonly kind: "error";
  /** A code of our catalogue, the name of a class of the language, or `DOMException`. */
  readonly type: string;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Absent where the error has none; it may be there and undefined. */
  readonly cause?: Encoded;
  /** Of an AggregateError. */
  readonly errors?: Encoded;
  /** The task's id where it is not enumerable, as on errors that failed a task. */
  readonly taskId?: string;
  readonly keys: readonly string[];
  readonly values: readonly Encoded[];
}

export type SteeringNode =
  | { readonly kind: "reschedule"; readonly delayMs: number }
  | { readonly kind: "skip-retry"; readonly value: Encoded }
  | { readonly kind: "cancel-task"; readonly value: Encoded }
  | { readonly kind: "rate-limited"; readonly retryAfterMs: number; readonly scope: RateLimitScope };

/** `keys` are of records and maps. */
export interface ContainerNode {
  readonly kind: "list" | "set" | "record" | "map";
  readonly keys: readonly Encoded[];
  readonly values: readonly Encoded[];
}

/** A Date, a buffer or the like, which structured clone copies by itself. */
export interface CopyNode {
  readonly kind: "copy";
  readonly value: unknown;
}
