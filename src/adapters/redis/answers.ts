import type {
  CancelAnswer,
  ClaimAnswer,
  ClaimedTask,
  CrashedTask,
  EnqueueAnswer,
  ExtendAnswer,
} from "../../ports/backend.js";
import type { QueueCounts } from "../../ports/backend-inspector.js";
import { StoreUnreachableError } from "../../store-errors.js";

/** What a store is known by: a random text, and a number that only grows. */
export interface StoreMark {
  readonly epoch: string;
  readonly sequence: number;
}

/** A server is not trusted: an answer of another shape than scripts give is an error, and never a value. */
export function toText(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString();
  if (typeof value === "string") return value;
  return strange();
}

export function toNumber(value: unknown): number {
  const number = typeof value === "number" ? value : Number(toText(value));
  return Number.isFinite(number) ? number : strange();
}

export function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : strange();
}

export function toMark(answer: readonly unknown[]): StoreMark {
  return { epoch: toText(answer[0]), sequence: toNumber(answer[1]) };
}

export function toEnqueueAnswer(queue: string, value: unknown): EnqueueAnswer {
  const text = toText(value);
  const rest = text.slice(1);
  switch (text[0]) {
    case "k":
      return { outcome: "kept", replaced: rest === "" ? undefined : `${queue}:${rest}` };
    case "d":
      return { outcome: "duplicate", id: `${queue}:${rest}` };
    case "t":
      return { outcome: "taken", id: `${queue}:${rest}` };
    default:
      return strange();
  }
}

export function toClaimAnswer(queue: string, answer: readonly unknown[]): ClaimAnswer {
  const [, , stoppedAtCost, nextDueMs, reclaimed, crashed, tasks] = answer;
  return {
    tasks: toClaimedTasks(queue, toList(tasks)),
    stoppedAtCost: unlessNegative(toNumber(stoppedAtCost)),
    nextDueMs: unlessNegative(toNumber(nextDueMs)),
    crashed: toCrashed(queue, toList(crashed)),
    reclaimed: toNumber(reclaimed),
  };
}

export function toExtendAnswer(value: unknown): ExtendAnswer {
  if (value === 0) return NOT_HELD;
  return value === 1 ? HELD : { held: true, cancel: toText(value) };
}

export function toHeld(value: unknown): boolean {
  return value === 1 || (value !== 0 && strange());
}

export function toCancelAnswer(value: unknown): CancelAnswer {
  return CANCEL_ANSWERS[toText(value)] ?? strange();
}

export function toCounts(answer: readonly unknown[]): QueueCounts {
  const [ready, delayed, leased, dead, finished, deadDropped] = answer.map(toNumber);
  return {
    ready: ready ?? 0,
    delayed: delayed ?? 0,
    leased: leased ?? 0,
    dead: dead ?? 0,
    finished: finished ?? 0,
    deadDropped: deadDropped ?? 0,
  };
}

const NOT_HELD: ExtendAnswer = Object.freeze({ held: false, cancel: undefined });
const HELD: ExtendAnswer = Object.freeze({ held: true, cancel: undefined });

const CANCEL_ANSWERS: Readonly<Record<string, CancelAnswer>> = {
  __proto__: null as never,
  c: "cancelled",
  a: "asked",
  e: "ended",
  u: "unknown",
};

function toClaimedTasks(queue: string, flat: readonly unknown[]): readonly ClaimedTask[] {
  const tasks: ClaimedTask[] = [];
  for (let at = 0; at + 4 < flat.length; at += 5) {
    const payload = flat[at + 4];
    const numbers = toText(flat[at + 1])
      .split(" ")
      .map(toNumber);
    const [token, deliveries, waitMs, priority, weight, cost, attempts, enqueuedAt, replayedAt] = numbers;
    tasks.push({
      id: `${queue}:${toText(flat[at])}`,
      token: token ?? strange(),
      handler: toText(flat[at + 2]),
      payload: Buffer.isBuffer(payload) ? payload : strange(),
      envelope: toText(flat[at + 3]),
      priority: priority ?? strange(),
      weight: weight ?? strange(),
      cost: cost ?? strange(),
      attempts: attempts ?? strange(),
      deliveries: deliveries ?? strange(),
      enqueuedAt: enqueuedAt ?? strange(),
      replayedAt: replayedAt || undefined,
      waitMs: waitMs ?? strange(),
    });
  }
  return tasks;
}

function toCrashed(queue: string, flat: readonly unknown[]): readonly CrashedTask[] {
  const crashed: CrashedTask[] = [];
  for (let at = 0; at + 2 < flat.length; at += 3) {
    const id = `${queue}:${toText(flat[at])}`;
    crashed.push({ id, handler: toText(flat[at + 1]), deliveries: toNumber(flat[at + 2]) });
  }
  return crashed;
}

function unlessNegative(number: number): number | undefined {
  return number < 0 ? undefined : number;
}

function strange(): never {
  throw new StoreUnreachableError("Redis answered with what no script of Millrace says");
}
