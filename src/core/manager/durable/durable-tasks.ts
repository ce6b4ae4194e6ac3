import type { Backend } from "../../../ports/backend.js";
import type { HeldDeadLetter, QueueCounts, ReplayRequest } from "../../../ports/backend-inspector.js";
import type { Clock } from "../../../ports/clock.js";
import type { RenewalListener } from "../../../ports/lease-renewal.js";
import type { Random } from "../../../ports/random.js";
import { StoreUnreachableError } from "../../../store-errors.js";
import { type DurableStats, sumDurable } from "../../../task/durable-stats.js";
import { Consumer, type ConsumerHost } from "../../durable/consumer.js";
import { CountedBackend } from "../../durable/counted-backend.js";
import { EnqueueBatcher } from "../../durable/enqueue-batcher.js";
import { GuardedBackend } from "../../durable/guarded-backend.js";
import { ResultWaiters } from "../../durable/result-waiters.js";
import { StoreCalls } from "../../durable/store-calls.js";
import { take } from "../../durable/taken-backends.js";
import type { Mishaps } from "../../events/mishaps.js";
import type { Alarm, Alarms } from "../alarms.js";
import type { Conditions } from "../conditions.js";
import { AWAITED, CONSUMING, type KeepAlive } from "../keep-alive.js";
import { type Lanes, listLanes } from "../lane.js";
import type { Lifecycle } from "../lifecycle.js";
import type { ResolvedOptions } from "../resolved-options.js";
import type { SignalListeners } from "../signal-listeners.js";
import type { Tallies } from "../tallies.js";
import { ClaimRoom, type ClaimRoomParts } from "./claim-room.js";
import type { ReplayReport } from "./dead-letter-selection.js";
import { DurableEnds, type DurableEndsParts } from "./durable-ends.js";
import type { DurableHandleHost } from "./durable-handle.js";
import { toDurableId } from "./durable-id.js";
import { DurableIntake } from "./durable-intake.js";
import { DurableRuns, type DurableRunsParts } from "./durable-runs.js";
import { toRunnable } from "./runnable-handlers.js";
import { StoreCondition } from "./store-condition.js";

/** What durable tasks need of the manager that they visit. */
export interface DurableTasksParts
  extends Omit<ClaimRoomParts, "handlers" | "lanes" | "onRoom">,
    Omit<DurableEndsParts, "consumer">,
    Omit<DurableRunsParts, "consumer" | "ends" | "handlers" | "room"> {
  readonly alarms: Alarms;
  readonly clock: Clock;
  readonly conditions: Conditions;
  readonly keepAlive: KeepAlive;
  readonly lanes: Lanes;
  readonly lifecycle: Lifecycle;
  readonly mishaps: Mishaps;
  readonly random: Random;
  readonly signals: SignalListeners;
  readonly tallies: Tallies;
  /** Waits for an asynchronous schema, as long as the manager does. */
  readonly whenChecked: <T>(checked: Promise<T>) => Promise<T>;
  /** There may be something to start. */
  readonly dispatch: () => void;
  /** The same, when the present call has returned. */
  readonly wake: () => void;
}

/** How long a queue of which nothing has been heard is left alone. */
const POLL_MS = 5_000;

/** So long after the end of a stop the store is waited for. */
const CONFIRM_MS = 100;

/** The durable tasks of one manager: those that it enqueues, and those that run in it. */
export class DurableTasks implements Alarm {
  alarmTicket = -1;
  readonly intake: DurableIntake;
  readonly ends: DurableEnds;
  readonly calls: StoreCalls;
  readonly condition: StoreCondition;
  readonly #parts: DurableTasksParts;
  readonly #backend: Backend;
  readonly #batcher: EnqueueBatcher;
  readonly #consumer: Consumer;
  readonly #waiters: ResultWaiters;
  readonly #waiting = new Set<() => void>();
  readonly #consumed: readonly string[];
  readonly #unlisten: (() => void)[] = [];
  #stopped = false;

  constructor(given: Backend, options: ResolvedOptions, parts: DurableTasksParts) {
    const { clock, random } = parts;
    this.calls = new StoreCalls(clock);
    take(given);
    const guarded = new GuardedBackend(given, clock, options.leaseMs / 3);
    const backend = new CountedBackend(guarded, this.calls);
    const consumer = () => this.#consumer;
    this.#parts = parts;
    this.#backend = backend;
    this.#consumed = options.consumed;
    this.#waiters = new ResultWaiters(backend, clock);
    this.ends = new DurableEnds({ ...parts, consumer });
    const lanes = listLanes(parts.lanes);
    const room = new ClaimRoom({
      ...{ ...parts, lanes },
      handlers: toRunnable(options.handlers, parts.lanes),
      onRoom: () => parts.wake(),
    });
    const { handlers } = options;
    const runs = new DurableRuns({ ...parts, consumer, ends: this.ends, handlers, room });
    const name = createName(random);
    const nobody = `${name}-0`; // no task has this id
    const { leaseMs, maxBlockedMs } = options;
    const pulses = parts.lanes.threads?.executor.pool?.pulses;
    this.#consumer = new Consumer({
      ...{ backend, clock, random, leaseMs, maxBlockedMs, pulses },
      ...{ pollMs: POLL_MS, requestPrefix: `${name}-` },
      openRenewal: (listener) =>
        backend.renewer?.open({ leaseMs, maxBlockedMs, pulses, listener: this.#counted(listener) }),
      queues: options.consumed.map((queue) => ({
        name: queue,
        share: options.queueShapes.get(queue)?.share ?? 1,
      })),
      strict: options.strictQueues,
      host: this.#toHost(room, runs),
    });
    this.condition = new StoreCondition({
      ...{ ...parts, calls: this.calls, consumer: this.#consumer, pollMs: POLL_MS },
      ask: () =>
        backend.cancel([{ id: toDurableId(options.defaultQueue, nobody), error: "", resultTtlMs: 0 }]),
    });
    let ids = 0;
    const batcher = new EnqueueBatcher(backend, clock, `${name}-`, () => parts.conditions.check());
    this.#batcher = batcher;
    this.intake = new DurableIntake({
      ...{ ...parts, backend, batcher, idempotency: options.idempotency, capacity: options.capacity },
      defaultQueue: options.defaultQueue,
      handleHost: this.#toHandleHost(),
      handlers: options.handlers,
      isStrange: (queue) => options.consumesAll && !options.consumed.includes(queue),
      createId: () => `${name}-${(++ids).toString(36)}`,
    });
  }

  /** Tasks that have ended here, and whose end the store has not confirmed. */
  get unconfirmed(): number {
    return this.#consumer.unconfirmed;
  }

  /** Whether anything of it is under way. */
  get busy(): boolean {
    return !this.#stopped && (this.#consumer.busy || this.#batcher.busy);
  }

  read(): DurableStats {
    const consumer = this.#consumer;
    const { lastClaimAt, leased, reclaimed, tally, unconfirmed } = consumer;
    return Object.freeze({
      ...sumDurable(this.#parts.tallies),
      ...{ leased, unconfirmed, reclaimed, renewals: tally.renewals, failedRenewals: tally.failures },
      waitingForStore: this.intake.unanswered,
      storeLosses: this.condition.losses,
      lastClaimAgoMs: lastClaimAt === undefined ? undefined : this.#parts.clock.now() - lastClaimAt,
      calls: this.calls.read(),
    });
  }

  /** What the store has of each queue that is consumed here. */
  async counts(): Promise<ReadonlyMap<string, QueueCounts>> {
    const queues = this.#consumed;
    const counts = queues.length === 0 ? [] : await this.#backend.inspector.counts(queues);
    return new Map(
      queues.flatMap((queue, index) => (counts[index] === undefined ? [] : [[queue, counts[index]]])),
    );
  }

  start(): void {
    if (this.#consumed.length === 0) return;
    this.#parts.keepAlive.hold(CONSUMING);
    const { cancelAsked, wake } = this.#consumer.signals;
    const { signals } = this.#backend;
    this.#unlisten.push(
      signals.listen(this.#consumed, {
        ...{ wake, cancelAsked, storeLost: (queue) => this.#storeLost(queue) },
        finished: undefined, // those who wait hear that for themselves
      }),
    );
    this.#consumer.start();
  }

  /** There may be room for more. */
  claim(contended: boolean): void {
    this.#consumer.claim(contended);
  }

  /** Asks again until there is no more, or there are only tasks that have died again meanwhile. */
  async replay(requests: readonly ReplayRequest[]): Promise<ReplayReport> {
    const replayed = new Set<string>();
    const held = new Map<string, HeldDeadLetter>();
    for (const request of requests) {
      for (let more = true; more; ) {
        const before = replayed.size;
        const answer = await this.#backend.inspector.replay(request);
        for (const id of answer.replayed) replayed.add(id);
        for (const one of answer.held) held.set(one.id, one);
        more = answer.more && replayed.size > before;
      }
    }
    return { replayed: [...replayed], held: [...held.values()] };
  }

  /** A stop has begun, or its end has come closer: nothing more is claimed. */
  stop(endAt: number): void {
    this.#consumer.stop();
    this.#parts.alarms.set(this, endAt + CONFIRM_MS);
  }

  /** The stop is over: what the store has not confirmed by now is not waited for. */
  ring(): void {
    this.#stopped = true;
    const error = new StoreUnreachableError("The store did not confirm it before the stop was over");
    this.#consumer.giveUp(error);
    this.#batcher.giveUp(error);
    this.#parts.conditions.check();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    for (const unlisten of this.#unlisten) unlisten();
    this.#waiters.close();
    for (const stop of [...this.#waiting]) stop();
    this.condition.close();
    await this.#consumer.close();
    await this.#backend.close();
  }

  /** Renewals that are made elsewhere are no calls of ours: whether they fail is all that is told of them. */
  #counted(listener: RenewalListener): RenewalListener {
    return {
      renewed: (lease, sentAgoMs, cancel) => {
        this.calls.noteSuccess("extend");
        listener.renewed(lease, sentAgoMs, cancel);
      },
      refused: (lease) => {
        this.calls.noteSuccess("extend");
        listener.refused(lease);
      },
      failed: (error) => {
        this.calls.noteFailure("extend", error);
        listener.failed(error);
      },
    };
  }

  #storeLost(queue: string): void {
    this.condition.noteLoss();
    this.#parts.journal.recordStoreLost(queue);
  }

  #toHost(room: ClaimRoom, runs: DurableRuns): ConsumerHost {
    const { conditions, dispatch, journal, tallies } = this.#parts;
    return {
      beginRound: (needs) => room.beginRound(needs),
      reserve: (need) => room.reserve(need),
      endRound: () => room.endRound(),
      start: (held) => runs.start(held),
      claimed: () => dispatch(),
      lost: (held) => runs.lost(held),
      cancelAsked: (held, error) => runs.cancelAsked(held, error),
      confirmed: (held) => {
        this.ends.confirmed(held);
        this.#waiters.look(held.task.id);
      },
      refused: (held) => this.ends.refused(held),
      unknown: (held) => this.ends.unknown(held),
      crashed: (queue, tasks) => {
        for (const { id, handler, attempts } of tasks) {
          tallies.of(queue, handler).durable.deadLettered["crash-loop"]++;
          journal.recordDeadLettered({ id, handler, queue, reason: "crash-loop", attempts });
        }
      },
      failed: () => {},
      idle: () => conditions.check(),
    };
  }

  #toHandleHost(): DurableHandleHost {
    const { alarms, clock, keepAlive, signals } = this.#parts;
    return {
      ...{ alarms, signals, waiters: this.#waiters, waiting: this.#waiting },
      now: () => clock.now(),
      onWaiting: () => {
        if (this.#waiting.size === 0) keepAlive.release(AWAITED);
        else keepAlive.hold(AWAITED);
      },
      isStopped: () => this.#stopped,
      cancel: (id, reason) => this.intake.cancel(id, reason),
      read: async (id) => (await this.#backend.inspector.read([id], { payloads: false }))[0],
    };
  }
}

/** What tells this manager's ids and requests from those of all others, ever: 82 bits of chance. */
function createName(random: Random): string {
  let name = "";
  for (let count = 0; count < 16; count++) name += Math.floor(random.next() * 36).toString(36);
  return name;
}
