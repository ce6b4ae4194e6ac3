import { AsyncSchemaError, type IssueList, OptionError, PayloadError, ResultError } from "../errors.js";
import { checkClone } from "./clone-check.js";
import { codecOf } from "./codec.js";
import type { HandlerDefinition } from "./handler-definition.js";
import { tellIssues, toIssueList } from "./issues.js";
import { MAX_JSON_DEPTH, measureJson, type Unmeasured } from "./json-bytes.js";
import type { Eventually } from "./outcome.js";
import { refusedPayload } from "./refused-payload.js";
import { type Refusal, runSchema, type Verdict } from "./schema.js";

/**
 * A value that came out of a schema. In a box, since the value may have a `then` of its own: promised bare,
 * it would be waited for.
 */
export interface Checked {
  readonly value: unknown;
}

/**
 * Checks a payload, its size first, so that a schema never walks what is too large. Gives what the handler
 * is to be called with.
 * @param transfer what moves with it to a worker thread
 * @throws {PayloadError}
 * @throws {OptionError} when something is to move, and the schema is a codec
 * @throws {AsyncSchemaError} when the schema answers with a promise
 */
export function checkPayload(
  definition: HandlerDefinition,
  payload: unknown,
  transfer?: readonly object[],
): unknown {
  refuseBeforeSchema(definition, payload, transfer);
  const verdict = runSchema(definition.payload, payload);
  if (verdict instanceof Promise) throw new AsyncSchemaError(definition.name);
  return acceptedPayload(definition, payload, verdict, transfer).value;
}

/**
 * As `checkPayload`, but gives a promise where the schema does. How long that may take is for the schema to
 * bound.
 * @throws {PayloadError} at once, or as a rejection
 */
export function startPayloadCheck(
  definition: HandlerDefinition,
  payload: unknown,
  transfer?: readonly object[],
): Eventually<Checked> {
  refuseBeforeSchema(definition, payload, transfer);
  const verdict = runSchema(definition.payload, payload);
  if (!(verdict instanceof Promise)) return acceptedPayload(definition, payload, verdict, transfer);
  return verdict.then((answer) => acceptedPayload(definition, payload, answer, transfer));
}

/**
 * As `startPayloadCheck`, for what was read from a store: its size was looked at before it was decoded.
 * @throws {PayloadError} at once, or as a rejection
 */
export function startDecodedCheck(definition: HandlerDefinition, payload: unknown): Eventually<Checked> {
  const verdict = runSchema(definition.payload, payload);
  if (!(verdict instanceof Promise)) return acceptedPayload(definition, payload, verdict, undefined);
  return verdict.then((answer) => acceptedPayload(definition, payload, answer, undefined));
}

/**
 * Checks what a handler returned, where its definition has a `result` schema, and gives what comes out of it.
 * @throws {ResultError} as a rejection
 */
export async function checkResult(definition: HandlerDefinition, result: unknown): Promise<Checked> {
  if (definition.result === undefined) return { value: result };
  const verdict = await runSchema(definition.result, result);
  if (verdict.refusal === undefined) return verdict;
  throw resultError(definition.name, verdict.refusal);
}

/** What is to go to a thread must be such that it can, whatever the schema makes of it. */
function refuseBeforeSchema(
  definition: HandlerDefinition,
  payload: unknown,
  transfer: readonly object[] | undefined,
): void {
  if (isCloned(definition)) {
    refuseUncloneable(definition, payload, transfer);
    return;
  }
  if (transfer !== undefined && definition.module !== undefined) throw codedTransfer();
  refuseSize(definition, payload);
}

/** Bytes go to the thread in place of the payload, which stays here with all that is in it. */
function codedTransfer(): OptionError {
  return new OptionError("transfer", "Expected `transfer` only for a handler whose `payload` is no codec");
}

/** Whether payloads go to a thread as copies. Those of a codec go as bytes. */
function isCloned({ module, payload }: HandlerDefinition): boolean {
  return module !== undefined && codecOf(payload) === undefined;
}

/** What cannot be copied to a thread, or is too large for that. One walk finds both. */
function refuseUncloneable(
  definition: HandlerDefinition,
  payload: unknown,
  transfer: readonly object[] | undefined,
): void {
  const verdict = checkClone(payload, definition.maxPayloadBytes, "payload", transfer);
  if (verdict.problem === undefined) return;
  const { path, problem, tooLarge } = verdict;
  throw refusedPayload(definition.name, path, tooLarge ? `${problem} (maxPayloadBytes)` : problem);
}

function refuseSize(definition: HandlerDefinition, payload: unknown): void {
  const most = definition.maxPayloadBytes;
  const size = measureJson(payload, most);
  if (typeof size === "number" && size <= most) return;
  throw payloadError(definition.name, { issues: [{ message: tellProblem(size, most) }] });
}

function tellProblem(size: number | Unmeasured, most: number): string {
  if (size === "too-deep") return `is nested deeper than ${MAX_JSON_DEPTH} levels, or cyclic`;
  if (size === "unreadable") return "cannot be read: a getter or a proxy in it threw";
  return `takes more than ${most} bytes (maxPayloadBytes)`;
}

function acceptedPayload(
  definition: HandlerDefinition,
  payload: unknown,
  verdict: Verdict,
  transfer: readonly object[] | undefined,
): Checked {
  if (verdict.refusal !== undefined) throw payloadError(definition.name, verdict.refusal);
  const { value } = verdict;
  if (isCloned(definition) && value !== payload) refuseUncloneable(definition, value, transfer);
  return verdict;
}

/** The refusal of a payload by its schema, or by what was to encode or decode it. */
export function payloadError(handler: string, refusal: Refusal): PayloadError {
  const list: IssueList = toIssueList("payload", refusal.issues);
  const message = `The payload for handler "${handler}" was refused: ${tellIssues(list)}`;
  return new PayloadError(message, handler, list, causeOf(refusal));
}

/** The refusal of what a handler returned. */
export function resultError(handler: string, refusal: Refusal): ResultError {
  const list = toIssueList("result", refusal.issues);
  const message = `What handler "${handler}" returned was refused: ${tellIssues(list)}`;
  return new ResultError(message, handler, list, causeOf(refusal));
}

/** So that an error has a `cause` only where there is one, be it undefined. */
function causeOf(refusal: Refusal): { cause?: unknown } {
  return "cause" in refusal ? { cause: refusal.cause } : {};
}
