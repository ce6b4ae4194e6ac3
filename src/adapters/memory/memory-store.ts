import type {
  Ack,
  CancelAnswer,
  Cancellation,
  ClaimAnswer,
  ClaimRequest,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  Nack,
  NewTask,
} from "../../ports/backend.js";
import type {
  QueueCounts,
  ReadOptions,
  ReplayAnswer,
  ReplayRequest,
  StoredTask,
} from "../../ports/backend-inspector.js";
import type { SignalListener } from "../../ports/backend-signals.js";
import type { Clock } from "../../ports/clock.js";
import { StoreFullError } from "../../store-errors.js";
import { Claims } from "./claims.js";
import { Intake } from "./intake.js";
import { type DeadLetterLimits, Places } from "./places.js";
import { replayDeadLetters } from "./replay.js";
import { Settlements } from "./settlements.js";
import { SignalBoard } from "./signal-board.js";
import { StoreTime } from "./store-time.js";

/** What a store is made with. */
export interface MemoryStoreSettings {
  readonly clock: Pick<Clock, "wallNow">;
  /** Of tasks that are known, and of keys that are held. */
  readonly capacity: number;
  readonly deadLetters: DeadLetterLimits;
}

/** What each call forgets at most of what has been kept long enough, beside as much as it may add. */
const STEPS_PER_CALL = 100;

const NOTHING: QueueCounts = Object.freeze({
  ...{ ready: 0, delayed: 0, leased: 0, dead: 0, finished: 0, deadDropped: 0 },
});

/**
 * The state that the clients of a memory backend share, and the operations of the port on it. Each is
 * synchronous and takes effect at once, so that whatever is to lie between a client and its store can be put
 * there. It has no timers: what is due is seen by the next call.
 */
export class MemoryStore {
  readonly #time: StoreTime;
  readonly #signals = new SignalBoard();
  readonly #places: Places;
  readonly #intake: Intake;
  readonly #claims: Claims;
  readonly #settlements: Settlements;
  readonly #capacity: number;

  constructor({ clock, capacity, deadLetters }: MemoryStoreSettings) {
    this.#time = new StoreTime(clock);
    this.#capacity = capacity;
    this.#places = new Places(this.#time, this.#signals, deadLetters);
    this.#intake = new Intake(this.#places, this.#time);
    this.#claims = new Claims(this.#places, this.#time, this.#signals);
    this.#settlements = new Settlements(this.#places, this.#time, this.#signals);
  }

  /** @throws {StoreFullError} when there is no room for all of them; then none is kept */
  enqueue(requestId: string, tasks: readonly NewTask[]): readonly EnqueueAnswer[] {
    return this.#call(tasks.length, () => {
      this.#refuseWhatHasNoRoom(tasks);
      return this.#intake.keep(requestId, tasks);
    });
  }

  claim(request: ClaimRequest): ClaimAnswer {
    return this.#call(1, () => this.#claims.claim(request));
  }

  extend(extensions: readonly Extension[]): readonly ExtendAnswer[] {
    return this.#call(0, () => extensions.map((extension) => this.#settlements.extend(extension)));
  }

  ack(ends: readonly Ack[]): readonly boolean[] {
    return this.#call(ends.length, () => ends.map((end) => this.#settlements.ack(end)));
  }

  nack(returns: readonly Nack[]): readonly boolean[] {
    return this.#call(returns.length, () => returns.map((one) => this.#settlements.nack(one)));
  }

  deadLetter(ends: readonly DeadLetter[]): readonly boolean[] {
    return this.#call(ends.length, () => ends.map((end) => this.#settlements.deadLetter(end)));
  }

  cancel(cancellations: readonly Cancellation[]): readonly CancelAnswer[] {
    return this.#call(cancellations.length, () =>
      cancellations.map((cancellation) => this.#settlements.cancel(cancellation)),
    );
  }

  read(ids: readonly string[], { payloads = true }: ReadOptions = {}): readonly (StoredTask | undefined)[] {
    return this.#call(0, () =>
      ids.map((id) => {
        const record = this.#places.find(id);
        const queue = record?.place === "dead" ? this.#places.queue(record.queue) : undefined;
        if (queue !== undefined) this.#places.dropOldDead(queue, STEPS_PER_CALL);
        const isKept = record?.place !== "finished" || record.outcomeUntil > this.#time.elapsed;
        return isKept ? record?.toStoredTask(this.#time, payloads) : undefined;
      }),
    );
  }

  counts(queues: readonly string[]): readonly QueueCounts[] {
    return this.#call(0, () =>
      queues.map((name) => {
        const queue = this.#places.queue(name);
        if (queue === undefined) return NOTHING;
        this.#places.dropOldDead(queue, STEPS_PER_CALL);
        const { ready, delayed, leased, dead, outcomes, deadDropped } = queue;
        return {
          ready: ready.size,
          delayed: delayed.size,
          leased: leased.size,
          dead: dead.size,
          finished: outcomes,
          deadDropped,
        };
      }),
    );
  }

  replay(request: ReplayRequest): ReplayAnswer {
    return this.#call(0, () => {
      const queue = this.#places.queue(request.queue);
      if (queue !== undefined) this.#places.dropOldDead(queue, STEPS_PER_CALL);
      return replayDeadLetters(this.#places, request);
    });
  }

  listen(queues: readonly string[], listener: SignalListener): () => void {
    return this.#signals.listen(queues, listener);
  }

  /** One operation, at one moment, with what it tells when it is over. */
  #call<R>(additions: number, operation: () => R): R {
    this.#time.advance();
    this.#places.sweep(STEPS_PER_CALL + 2 * additions);
    try {
      return operation();
    } finally {
      this.#signals.flush();
    }
  }

  #refuseWhatHasNoRoom(tasks: readonly NewTask[]): void {
    const known = Math.max(this.#places.size, this.#places.keys.size);
    if (known + tasks.length <= this.#capacity) return;
    let additions = 0;
    for (const { id } of tasks) if (this.#places.find(id) === undefined) additions++;
    if (known + additions <= this.#capacity) return;
    const found = `The memory backend holds ${known} tasks, those that ended a while ago included`;
    throw new StoreFullError(`${found}, and its \`capacity\` is ${this.#capacity}`);
  }
}
