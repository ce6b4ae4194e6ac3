import { TaskCancelledError } from "../../errors.js";
import type { EnqueueAnswer, IdempotencyClaim, NewTask } from "../../ports/backend.js";
import { type HeldKey, keyScope } from "./held-keys.js";
import type { Places } from "./places.js";
import type { StoreTime } from "./store-time.js";
import { cancelled, DEFAULT_RESULT_TTL_MS, toOwnError } from "./stored-ends.js";
import { queueOf, TaskRecord } from "./task-record.js";

/** What is to become of a task that wants to hold a key. */
type KeyVerdict =
  | { readonly outcome: "free"; readonly holder: TaskRecord | undefined }
  | { readonly outcome: "held"; readonly answer: EnqueueAnswer };

const FREE: KeyVerdict = Object.freeze({ outcome: "free", holder: undefined });

/** Takes new tasks in. */
export class Intake {
  readonly #places: Places;
  readonly #time: StoreTime;

  constructor(places: Places, time: StoreTime) {
    this.#places = places;
    this.#time = time;
  }

  keep(requestId: string, tasks: readonly NewTask[]): readonly EnqueueAnswer[] {
    // An id that comes twice in one call is not a call that is made again.
    const met = new Set<string>();
    return tasks.map((task) => {
      const known = this.#places.find(task.id);
      const isRepeated = met.has(task.id);
      met.add(task.id);
      if (known === undefined) return this.#keepNew(requestId, task);
      if (isRepeated || known.requestId !== requestId) return { outcome: "taken", id: task.id };
      return { outcome: "kept", replaced: known.replaced };
    });
  }

  #keepNew(requestId: string, task: NewTask): EnqueueAnswer {
    const { idempotency } = task;
    const scope = idempotency && keyScope(queueOf(task.id), task.handler, idempotency);
    const verdict = scope === undefined ? FREE : this.#judge(scope, idempotency);
    if (verdict.outcome === "held") return verdict.answer;
    const { holder } = verdict;
    if (holder !== undefined) this.#cancel(holder, task.id);
    const { now, elapsed } = this.#time;
    const record = new TaskRecord(requestId, task, holder?.id, now);
    if (scope !== undefined && idempotency !== undefined)
      record.key = this.#places.keys.take(scope, task.id, idempotency, elapsed);
    this.#places.admit(record, toDueAt(task, now));
    return { outcome: "kept", replaced: holder?.id };
  }

  #judge(scope: string, claim: IdempotencyClaim | undefined): KeyVerdict {
    const held = this.#places.keys.find(scope, this.#time.elapsed);
    if (held === undefined) return FREE;
    if (claim?.onDuplicate === "reject")
      return { outcome: "held", answer: { outcome: "taken", id: held.id } };
    const holder = this.#waitingHolder(held);
    if (claim?.onDuplicate === "replace" && holder !== undefined) return { outcome: "free", holder };
    return { outcome: "held", answer: { outcome: "duplicate", id: held.id } };
  }

  #waitingHolder(held: HeldKey): TaskRecord | undefined {
    const record = this.#places.find(held.id);
    return record?.key === held && record.isWaiting ? record : undefined;
  }

  #cancel(holder: TaskRecord, by: string): void {
    const { id } = holder;
    const text = `Task ${id} was replaced by ${by}, which has the same idempotency key`;
    const error = toOwnError(() => new TaskCancelledError(text, id));
    this.#places.toFinished(holder, { outcome: cancelled(error), resultTtlMs: DEFAULT_RESULT_TTL_MS });
  }
}

/** One that would only be due after the end of its life is due at that. */
function toDueAt({ delayMs, runAt = 0, ttlMs, deadlineAt }: NewTask, now: number): number {
  const endsAt = Math.min(now + (ttlMs ?? Number.POSITIVE_INFINITY), deadlineAt ?? Number.POSITIVE_INFINITY);
  return Math.min(Math.max(now + delayMs, runAt), Math.max(now, endsAt));
}
