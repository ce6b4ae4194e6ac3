import type {
  CancelAnswer,
  ClaimAnswer,
  ClaimedTask,
  CrashedTask,
  EnqueueAnswer,
  ExtendAnswer,
} from "../../ports/backend.js";
import type { QueueCounts } from "../../ports/backend-inspector.js";
import { readSoundly, strange, toList, toNumber, toText } from "./answer-values.js";
import { toClaimedTask } from "./record-format.js";

/** What a store is known by: a random text, and a number that only grows. */
export interface StoreMark {
  readonly epoch: string;
  readonly sequence: number;
}

export function toMark(answer: readonly unknown[]): StoreMark {
  return { epoch: toText(answer[0]), sequence: toNumber(answer[1]) };
}

const KEPT: EnqueueAnswer = Object.freeze({ outcome: "kept", replaced: undefined });

/** Of so many tasks; the script names those of which there is more to tell. */
export function toEnqueueAnswers(
  queue: string,
  count: number,
  answer: readonly unknown[],
): readonly EnqueueAnswer[] {
  const answers = new Array<EnqueueAnswer>(count).fill(KEPT);
  for (let at = 2; at + 1 < answer.length; at += 2) {
    const index = toNumber(answer[at]) - 1;
    if (!(index in answers)) strange();
    answers[index] = toEnqueueAnswer(queue, answer[at + 1]);
  }
  return answers;
}

function toEnqueueAnswer(queue: string, value: unknown): EnqueueAnswer {
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
  const [, , stoppedAtCost, nextDueMs, reclaimed, crashed, tasks, waitedUntil, claimedAt] = answer;
  return {
    tasks: readSoundly(() =>
      toClaimedTasks(queue, toList(tasks), toNumber(waitedUntil), toNumber(claimedAt)),
    ),
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

function toClaimedTasks(
  queue: string,
  flat: readonly unknown[],
  waitedUntil: number,
  claimedAt: number,
): readonly ClaimedTask[] {
  const tasks: ClaimedTask[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const [head, record] = [flat[at], flat[at + 1]];
    if (!Buffer.isBuffer(head) || !Buffer.isBuffer(record)) return strange();
    tasks.push(toClaimedTask(queue, [head, record], waitedUntil, claimedAt));
  }
  return tasks;
}

function toCrashed(queue: string, flat: readonly unknown[]): readonly CrashedTask[] {
  const crashed: CrashedTask[] = [];
  for (let at = 0; at + 3 < flat.length; at += 4) {
    crashed.push({
      id: `${queue}:${toText(flat[at])}`,
      handler: toText(flat[at + 1]),
      deliveries: toNumber(flat[at + 2]),
      attempts: toNumber(flat[at + 3]),
    });
  }
  return crashed;
}

function unlessNegative(number: number): number | undefined {
  return number < 0 ? undefined : number;
}
