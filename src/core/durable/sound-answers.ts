import type {
  CancelAnswer,
  ClaimAnswer,
  ClaimedTask,
  ClaimRequest,
  CrashedTask,
  EnqueueAnswer,
  ExtendAnswer,
} from "../../ports/backend.js";
import type { HeldDeadLetter, QueueCounts, ReplayAnswer, StoredTask } from "../../ports/backend-inspector.js";
import { MAX_PRIORITY, MAX_WEIGHT } from "../../task/order.js";
import type { StoredOutcome } from "../../task/stored-outcome.js";

/** What reads an answer: undefined where it makes no sense. */
type Reader<A> = (answer: unknown) => A | undefined;

/** Anything that may have the fields of an answer. */
type Fields = {
  readonly [K in
    | keyof (ClaimAnswer & ClaimedTask & CrashedTask & ExtendAnswer & ReplayAnswer & HeldDeadLetter)
    | keyof (StoredTask & StoredOutcome)]?: unknown;
};

/** As many answers as there were questions, each of them sound. */
function list<A>({ length }: readonly unknown[], isSound: (one: unknown) => boolean): Reader<readonly A[]> {
  return (answer) =>
    Array.isArray(answer) && answer.length === length && answer.every(isSound) ? (answer as A[]) : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isCount(value: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isDuration(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
}

function isCost(value: unknown): value is number {
  return isDuration(value) && value > 0;
}

export const done: Reader<true> = () => true;

export function enqueued(tasks: readonly unknown[]): Reader<readonly EnqueueAnswer[]> {
  return list(tasks, (one) => {
    if (!isFields(one)) return false;
    const { outcome, id } = one;
    return outcome === "kept" || ((outcome === "duplicate" || outcome === "taken") && isText(id));
  });
}

export function flags(questions: readonly unknown[]): Reader<readonly boolean[]> {
  return list(questions, (one) => typeof one === "boolean");
}

export function extended(extensions: readonly unknown[]): Reader<readonly ExtendAnswer[]> {
  return list(
    extensions,
    (one) =>
      isFields(one) && typeof one.held === "boolean" && (one.cancel === undefined || isText(one.cancel)),
  );
}

const CANCEL_ANSWERS: readonly unknown[] = ["cancelled", "asked", "ended", "unknown"];

export function cancelled(cancellations: readonly unknown[]): Reader<readonly CancelAnswer[]> {
  return list(cancellations, (one) => CANCEL_ANSWERS.includes(one));
}

const END_STATES: readonly unknown[] = ["completed", "failed", "cancelled"];

export function storedTasks(ids: readonly unknown[]): Reader<readonly (StoredTask | undefined)[]> {
  return list(ids, (one) => {
    if (one === undefined) return true;
    if (!isFields(one)) return false;
    const { outcome } = one;
    if (outcome === undefined) return true;
    return isFields(outcome) && END_STATES.includes(outcome.state) && isValue(outcome.value);
  });
}

function isValue(value: unknown): boolean {
  return value === undefined || value instanceof Uint8Array;
}

export function oneFor(questions: readonly unknown[]): Reader<readonly QueueCounts[]> {
  return list(questions, isFields);
}

export const replayed: Reader<ReplayAnswer> = (answer) => {
  if (!isFields(answer)) return undefined;
  const { held, more, replayed } = answer;
  if (!Array.isArray(replayed) || !replayed.every(isText)) return undefined;
  if (!Array.isArray(held) || !held.every(isHeldDeadLetter)) return undefined;
  return { replayed, held, more: more === true };
};

/**
 * A task that cannot be read is left out: to the store it is one whose holder does not report back, and after
 * `maxDeliveries` of these a dead letter. So it does not keep the others from being claimed.
 */
export function claimed({ queue, handlers }: ClaimRequest): Reader<ClaimAnswer> {
  const prefix = `${queue}:`;
  return (answer) => {
    if (!isFields(answer)) return undefined;
    const { tasks, crashed, stoppedAtCost, nextDueMs, reclaimed, tookMs } = answer;
    if (!Array.isArray(tasks) || !Array.isArray(crashed) || !isCount(reclaimed)) return undefined;
    if (stoppedAtCost !== undefined && !isCost(stoppedAtCost)) return undefined;
    if (nextDueMs !== undefined && !isDuration(nextDueMs)) return undefined;
    if (tookMs !== undefined && !isDuration(tookMs)) return undefined;
    const isAsked = ({ id, handler }: ClaimedTask) =>
      id.startsWith(prefix) && handlers.some(({ name }) => name === handler);
    const known = tasks.filter((one: unknown) => isClaimedTask(one) && isAsked(one));
    const rest = { stoppedAtCost, nextDueMs, reclaimed, tookMs };
    return { tasks: known, crashed: crashed.filter(isCrashedTask), ...rest };
  };
}

function isClaimedTask(one: unknown): one is ClaimedTask {
  if (!isFields(one)) return false;
  const { id, token, handler, payload, envelope, priority, weight, cost } = one;
  const { attempts, deliveries, enqueuedAt, replayedAt, claimedAt, waitMs } = one;
  return (
    isText(id) &&
    isText(handler) &&
    isText(envelope) &&
    payload instanceof Uint8Array &&
    isCount(token) &&
    isCount(priority, -MAX_PRIORITY, MAX_PRIORITY) &&
    isCount(weight, 1, MAX_WEIGHT) &&
    isCost(cost) &&
    isCount(attempts) &&
    isCount(deliveries) &&
    isDuration(enqueuedAt) &&
    (replayedAt === undefined || isDuration(replayedAt)) &&
    isDuration(claimedAt) &&
    isDuration(waitMs)
  );
}

function isHeldDeadLetter(one: unknown): one is HeldDeadLetter {
  return isFields(one) && isText(one.id) && isText(one.heldBy);
}

function isCrashedTask(one: unknown): one is CrashedTask {
  if (!isFields(one) || !isText(one.id) || !isText(one.handler)) return false;
  return isCount(one.deliveries) && isCount(one.attempts);
}
