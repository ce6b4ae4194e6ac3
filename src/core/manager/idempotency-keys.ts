import { assert, DuplicateTaskError } from "../../errors.js";
import type { IdempotencyRules, OnDuplicate, OnFailure } from "../../task/idempotency.js";
import type { KeyTally } from "../../task/manager-stats.js";
import type { TaskState } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import { RingBuffer } from "../collections/ring-buffer.js";
import type { Alarm, Alarms } from "./alarms.js";
import { DuplicateHandle, PrunedTaskHandle } from "./duplicate-handle.js";
import type { TaskHandle } from "./task-handle.js";
import type { TaskPlan, TaskRequest } from "./task-plan.js";

/** What a call asks for with its key. */
interface KeyClaim {
  readonly key: string;
  /** The key with its queue and handler, in which it is unique. */
  readonly scope: string;
  readonly onDuplicate: OnDuplicate;
  readonly ttlMs: number;
  readonly onFailure: OnFailure;
}

/** A request that is to become a task. */
export interface Acceptance {
  readonly kind: "accept";
  /** Undefined where it has no key. */
  readonly claim: KeyClaim | undefined;
  /** The waiting task whose place it takes. */
  readonly replaced: Task | undefined;
}

/** What is to become of a request: a task, a handle to a known task, or one to an earlier one of the call. */
export type Verdict =
  | Acceptance
  | { readonly kind: "keep"; readonly handle: TaskHandle<unknown> }
  | { readonly kind: "repeat"; readonly first: number };

const WITHOUT_KEY: Acceptance = Object.freeze({ kind: "accept", claim: undefined, replaced: undefined });

/**
 * A key and the task that holds it:
 *
 * - `live`: its task has not ended
 * - `finished`: its task completed or failed, and it is held; an alarm is set for its expiry
 * - `released`: anybody may take it; the record is nobody's any more
 */
class HeldKey implements Alarm {
  alarmTicket = -1;
  stage: "live" | "finished" | "released" = "live";
  readonly scope: string;
  readonly expiresAt: number;
  readonly onFailure: OnFailure;
  /** Of its task. */
  readonly number: number;
  /** With the first handle, which has the outcome; until the task is pruned. */
  holder: { readonly task: Task; readonly handle: TaskHandle<unknown> } | undefined;
  readonly #owner: IdempotencyKeys;
  /** Of a task that was pruned. */
  #id = "";
  #state: TaskState = "completed";

  constructor(owner: IdempotencyKeys, claim: KeyClaim, task: Task, handle: TaskHandle<unknown>) {
    this.#owner = owner;
    this.scope = claim.scope;
    this.expiresAt = task.enqueuedAt + claim.ttlMs;
    this.onFailure = claim.onFailure;
    this.number = task.number;
    this.holder = { task, handle };
  }

  get id(): string {
    return this.holder?.task.id ?? this.#id;
  }

  toHandle(): TaskHandle<unknown> {
    if (this.holder === undefined) return new PrunedTaskHandle(this.#id, this.#state);
    return new DuplicateHandle(this.holder.handle);
  }

  /** Its task was pruned: that there was one is all that is kept. */
  pruned(): void {
    if (this.holder === undefined) return;
    this.#id = this.holder.task.id;
    this.#state = this.holder.task.state;
    this.holder = undefined;
  }

  ring(): void {
    this.#owner.release(this);
  }
}

/**
 * The one owner of idempotency keys. A key is held from the acceptance of its task until that was cancelled,
 * or has failed where a failure frees it, or else until it has ended and the key's time is over, whichever is
 * later. Finished ones are forgotten in the order of their end while more keys than `maxKeys` are held.
 *
 * What is judged is taken in the same synchronous step, but between the two a carrier of context may run code
 * of users, which may enqueue: so `take` looks again.
 */
export class IdempotencyKeys {
  readonly #alarms: Alarms;
  readonly #rules: IdempotencyRules;
  readonly #held = new Map<string, HeldKey>();
  /** By the numbers of their tasks, as long as these are live or retained. */
  readonly #byNumber = new Map<number, HeldKey>();
  /** In the order of their tasks' end, with some that were released. */
  readonly #finished = new RingBuffer<HeldKey>();
  #finishedCount = 0;
  readonly tally: KeyTally = { kept: 0, replaced: 0, rejected: 0, forgotten: 0 };

  constructor(rules: IdempotencyRules, alarms: Alarms) {
    this.#rules = rules;
    this.#alarms = alarms;
  }

  /** Keys that are held. */
  get size(): number {
    return this.#held.size;
  }

  /** Whether the key of a plan is held, so that the call needs no room. */
  isHeld(plan: TaskPlan, now: number): boolean {
    const claim = this.#claimOf(plan);
    return claim !== undefined && this.#find(claim, now) !== undefined;
  }

  /**
   * Says what is to become of each request of one call, and changes nothing.
   * @throws {DuplicateTaskError} when one of them is to be rejected
   */
  judge(requests: readonly TaskRequest[], now: number): Verdict[] {
    const firsts = new Map<string, number>();
    return requests.map(({ plan }, index) => {
      const claim = this.#claimOf(plan);
      if (claim === undefined) return WITHOUT_KEY;
      const first = firsts.get(claim.scope);
      if (first !== undefined) return this.#judgeRepeat(claim, first, requests[first]?.plan.options?.id);
      const verdict = this.#judgeClaim(claim, now);
      if (verdict.kind === "accept") firsts.set(claim.scope, index);
      return verdict;
    });
  }

  /**
   * A new task takes its key, also from the task that it replaces.
   * @throws {DuplicateTaskError} when another task has it since the verdict
   */
  take({ claim, replaced }: Acceptance, task: Task, handle: TaskHandle<unknown>): void {
    if (claim === undefined) return;
    const present = this.#find(claim, task.enqueuedAt);
    const isFree = present === undefined || (present.holder?.task === replaced && isWaiting(present));
    if (!isFree) this.#reject(present.id, claim);
    const taken = new HeldKey(this, claim, task, handle);
    this.#held.set(claim.scope, taken);
    this.#byNumber.set(task.number, taken);
    this.#shrink();
  }

  /** A task that has a key has come to its terminal state. */
  ended(task: Task, now: number): void {
    const held = this.#byNumber.get(task.number);
    if (held === undefined) return;
    const isFreed = task.state === "cancelled" || (task.state === "failed" && held.onFailure === "free");
    if (isFreed || held.expiresAt <= now) {
      this.release(held);
      return;
    }
    assert(held.stage === "live", "a task ends once, and so does the key of a live one");
    held.stage = "finished";
    this.#finished.push(held);
    this.#finishedCount++;
    this.#alarms.set(held, held.expiresAt);
    this.#shrink();
  }

  /** The finished task of this number is no longer retained, nor is what it returned. */
  pruned(number: number): void {
    if (this.#byNumber.size === 0) return;
    this.#byNumber.get(number)?.pruned();
    this.#byNumber.delete(number);
  }

  /** Lets go of a key. */
  release(held: HeldKey): void {
    const wasFinished = held.stage === "finished";
    held.stage = "released";
    held.holder = undefined;
    this.#alarms.clear(held);
    this.#byNumber.delete(held.number);
    // Else it was replaced, and the key is that of the other one.
    if (this.#held.get(held.scope) === held) this.#held.delete(held.scope);
    if (!wasFinished) return;
    this.#finishedCount--;
    if (this.#finished.size > 2 * this.#finishedCount + 16) this.#finished.retain(isHeldStill);
  }

  #claimOf({ profile, options }: TaskPlan): KeyClaim | undefined {
    const key = options?.idempotencyKey;
    if (key === undefined) return undefined;
    const said = options?.idempotency ?? {};
    return {
      key,
      // None of the three can hold a line break, so no two of them can make the same text.
      scope: `${profile.queue}\n${profile.handler ?? ""}\n${key}`,
      onDuplicate: said.onDuplicate ?? this.#rules.onDuplicate,
      ttlMs: said.ttlMs ?? this.#rules.ttlMs,
      onFailure: said.onFailure ?? this.#rules.onFailure,
    };
  }

  #find({ scope }: KeyClaim, now: number): HeldKey | undefined {
    const held = this.#held.get(scope);
    if (held === undefined || held.stage === "live" || held.expiresAt > now) return held;
    this.release(held); // its alarm is late
    return undefined;
  }

  #judgeClaim(claim: KeyClaim, now: number): Verdict {
    const held = this.#find(claim, now);
    if (held === undefined) return { kind: "accept", claim, replaced: undefined };
    if (claim.onDuplicate === "reject") this.#reject(held.id, claim);
    if (claim.onDuplicate === "replace" && isWaiting(held)) {
      return { kind: "accept", claim, replaced: held.holder?.task };
    }
    return { kind: "keep", handle: held.toHandle() };
  }

  /** The key is also that of an earlier request of the same call. */
  #judgeRepeat(claim: KeyClaim, first: number, id = ""): Verdict {
    if (claim.onDuplicate === "keep") return { kind: "repeat", first };
    this.tally.rejected++;
    const found = `Two tasks of one call have the idempotency key ${JSON.stringify(claim.key)}`;
    const message = `${found}, and the second says \`onDuplicate: "${claim.onDuplicate}"\``;
    throw new DuplicateTaskError(id, claim.key, message);
  }

  #reject(taskId: string, { key }: KeyClaim): never {
    this.tally.rejected++;
    throw new DuplicateTaskError(taskId, key);
  }

  #shrink(): void {
    while (this.#held.size > this.#rules.maxKeys && this.#finishedCount > 0) {
      const oldest = this.#finished.shift();
      assert(oldest !== undefined, "each finished key is in the line");
      if (!isHeldStill(oldest)) continue;
      this.release(oldest);
      this.tally.forgotten++;
    }
  }
}

function isHeldStill({ stage }: HeldKey): boolean {
  return stage !== "released";
}

/** Whether its task could still be replaced: it is live, and no attempt runs. */
function isWaiting({ stage, holder }: HeldKey): boolean {
  return stage === "live" && holder !== undefined && holder.task.state !== "running";
}
