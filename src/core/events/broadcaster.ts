import { SubscriptionLimitError } from "../../errors.js";
import type { Clock } from "../../ports/clock.js";
import { countJsonBytes } from "../../task/json-bytes.js";
import type { DropTally } from "../../task/manager-stats.js";
import type { Subscription } from "../../task/subscription.js";
import type { TaskEvent } from "../../task/task-event.js";
import type { TaskResult } from "../../task/task-result.js";
import { Channel, createResultTally } from "./channel.js";
import { DropTallies } from "./drop-tallies.js";
import type { EventStream } from "./event-stream.js";
import type { ObserverErrors } from "./observer-errors.js";
import { type BlockAlarm, ResultSubscription } from "./result-subscription.js";
import type { ResolvedSubscribeOptions } from "./subscribe-options.js";

/** Subscriptions of a manager that may be open at once. */
export const MAX_SUBSCRIPTIONS = 1_000;

export interface BroadcasterParts {
  readonly events: EventStream;
  /** Where errors of filters go. */
  readonly errors: ObserverErrors;
  readonly clock: Clock;
  /** What rings for a subscription that blocks for too long. */
  readonly alarms: {
    set(alarm: BlockAlarm, at: number): void;
    clear(alarm: BlockAlarm): void;
  };
  /** Attempts whose results are still to come, though no other attempt starts. */
  readonly unfinished: () => number;
  /** Told when no subscription blocks any more. */
  readonly onUnblocked: () => void;
}

type NamedSubscribeOptions = ResolvedSubscribeOptions & { readonly name: string; readonly drops: DropTally };

/**
 * All subscriptions of a manager. It listens to the events while one is open, and makes one result for all of
 * them. What a subscriber does, or leaves, touches nobody but itself, with one exception that it has to ask
 * for: while one of the rule `block` is full, no attempt starts.
 */
export class Broadcaster {
  /** What became of the results of all subscriptions, closed ones included. */
  readonly tally = createResultTally();
  /** What was dropped, by subscription, closed ones included. */
  readonly drops = new DropTallies();
  readonly #parts: BroadcasterParts;
  #open: readonly ResultSubscription[] = [];
  #listening: Disposable | undefined;
  /** Position in the stream of the last event that came, or could not come any more. */
  #heardAt = 0;
  readonly #blocking = new Set<ResultSubscription>();
  /** The largest of the bounds on bytes; 0 where there is none. */
  #maxBytes = 0;
  #made = 0;
  #phase: "open" | "stopping" | "closed" = "open";

  constructor(parts: BroadcasterParts) {
    this.#parts = parts;
  }

  /** Whether a subscription keeps attempts from being started. */
  get blocking(): boolean {
    return this.#blocking.size > 0;
  }

  /** The open ones, in the order of their making. */
  get subscriptions(): readonly ResultSubscription[] {
    return this.#open;
  }

  /**
   * Opens a subscription, or one that is closed where the manager has stopped.
   * @param retained results that have been published, oldest first, to replay from
   * @throws {SubscriptionLimitError}
   */
  subscribe(options: ResolvedSubscribeOptions, retained: readonly TaskResult[]): Subscription {
    const { name = this.#newName(), filter, maxBytes, replay } = options;
    const admits = filter && ((result: TaskResult) => this.#asks(filter, result, name));
    const meant = admits === undefined ? retained : retained.filter(admits);
    const results = replay === 0 ? [] : meant.slice(-replay);
    const isBounded = maxBytes !== Number.POSITIVE_INFINITY;
    const named = { ...options, name, drops: this.drops.of(options.name) };
    const sizes = isBounded ? results.map(({ value }) => countJsonBytes(value, maxBytes)) : [];
    // All that runs code of users is done, but for those who hear of drops: they wait until it is open.
    const opened = this.#parts.events.hold(() => this.#openOne(named, admits, results, sizes));
    if (options.name === undefined) this.#made++;
    return opened;
  }

  /**
   * Ids of tasks that have ended and whose results are still to come to subscriptions that are opened now:
   * whoever opens one from within an event must not replay these.
   */
  upcoming(): ReadonlySet<string> {
    const { delivering, position } = this.#parts.events;
    const events = [...this.#parts.events.undelivered()];
    const isNew = this.#listening !== undefined && this.#heardAt < position;
    if (delivering !== undefined && isNew) events.push(delivering);
    return new Set(events.flatMap((event) => (event.type === "finished" ? [event.task.id] : [])));
  }

  /** A stop has begun, in which nobody may hold up what is to be done. */
  unblock(): void {
    if (this.#phase === "open") this.#phase = "stopping";
    for (const subscription of this.#open) subscription.unblock();
  }

  /** Closes all, and those that are opened later at once. */
  close(): void {
    this.#phase = "closed";
    for (const subscription of this.#open) subscription.close();
  }

  #openOne(
    { name, drops, capacity, maxBytes, overflow, blockTimeoutMs }: NamedSubscribeOptions,
    admits: ((result: TaskResult) => boolean) | undefined,
    results: readonly TaskResult[],
    sizes: readonly number[],
  ): Subscription {
    if (this.#open.length >= MAX_SUBSCRIPTIONS) {
      const message = `${MAX_SUBSCRIPTIONS} subscriptions of this task manager are open already`;
      throw new SubscriptionLimitError(message, MAX_SUBSCRIPTIONS);
    }
    const channel = new Channel<TaskResult>({
      ...{ capacity, maxBytes, overflow, total: this.tally },
      excess: this.#parts.unfinished,
      onDrop: (result) => {
        drops.dropped++;
        this.#recordDrop(result, name);
      },
    });
    if (this.#phase !== "open") channel.unblock();
    channel.replay(results, sizes);
    const subscription = new ResultSubscription({
      ...{ name, overflow, blockTimeoutMs, maxBytes, channel, admits },
      onBlock: (one, alarm) => this.#followBlock(one, alarm),
      onClose: (one) => this.#forget(one),
    });
    if (this.#phase === "closed") subscription.close();
    else this.#remember(subscription);
    return subscription;
  }

  #remember(subscription: ResultSubscription): void {
    this.#open = [...this.#open, subscription];
    this.#boundBytes();
    if (this.#listening !== undefined) return;
    const { events } = this.#parts;
    this.#heardAt = events.position; // the present event does not come to a listener that is new
    this.#listening = events.subscribe((event) => this.#publish(event), ["finished"]);
  }

  #forget(subscription: ResultSubscription): void {
    this.#open = this.#open.filter((one) => one !== subscription);
    this.#boundBytes();
    if (this.#open.length > 0) return;
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
  }

  #boundBytes(): void {
    const bounds = this.#open.map(({ maxBytes }) => (maxBytes === Number.POSITIVE_INFINITY ? 0 : maxBytes));
    this.#maxBytes = Math.max(0, ...bounds);
  }

  #publish(event: TaskEvent): void {
    if (event.type !== "finished") return;
    this.#heardAt = this.#parts.events.position;
    const open = this.#open;
    const { result } = event;
    const bytes = this.#maxBytes === 0 ? 0 : countJsonBytes(result.value, this.#maxBytes);
    for (const subscription of open) subscription.publish(result, bytes);
  }

  /** One that no open subscription has. */
  #newName(): string {
    let number = this.#made + 1;
    while (this.#open.some(({ name }) => name === `subscriber-${number}`)) number++;
    return `subscriber-${number}`;
  }

  /** A filter that gives a promise is as wrong as one that throws: the answer is needed now. */
  #asks(filter: (result: TaskResult) => unknown, result: TaskResult, name: string): boolean {
    const { errors } = this.#parts;
    try {
      const answer = filter(result);
      if (!(answer instanceof Promise)) return Boolean(answer);
      answer.catch(() => undefined);
      errors.record(new TypeError("A filter answers at once, not by a promise"), "filter", name);
    } catch (error) {
      errors.record(error, "filter", name);
    }
    return false;
  }

  #followBlock(subscription: ResultSubscription, alarm: BlockAlarm): void {
    const { alarms, clock, onUnblocked } = this.#parts;
    if (subscription.blocking) {
      this.#blocking.add(subscription);
      alarms.set(alarm, clock.now() + subscription.blockTimeoutMs);
    } else {
      alarms.clear(alarm);
      if (this.#blocking.delete(subscription) && this.#blocking.size === 0) onUnblocked();
    }
  }

  #recordDrop({ id, handler, queue }: TaskResult, subscription: string): void {
    const { events } = this.#parts;
    if (events.heard.resultDropped > 0)
      events.publish({ type: "resultDropped", id, handler, queue, subscription });
  }
}
