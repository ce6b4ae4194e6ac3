import { Broadcaster } from "../../src/core/events/broadcaster.js";
import { EventStream } from "../../src/core/events/event-stream.js";
import { ObserverErrors } from "../../src/core/events/observer-errors.js";
import { readSubscribeOptions } from "../../src/core/events/subscribe-options.js";
import { Alarms } from "../../src/core/manager/alarms.js";
import { FinishedEvent } from "../../src/task/finished-event.js";
import { MOVES } from "../../src/task/states.js";
import type { SubscribeOptions, Subscription } from "../../src/task/subscription.js";
import type { TaskResult } from "../../src/task/task-result.js";
import { ManualClock } from "../../src/testing/index.js";
import { newTask } from "./new-task.js";

/** A broadcaster by itself, and who makes tasks end for it. */
export class ResultScene {
  readonly clock = new ManualClock();
  readonly errors = new ObserverErrors();
  readonly events = new EventStream(this.errors);
  readonly alarms = new Alarms(this.clock);
  readonly results: Broadcaster;
  /** Attempts that run. */
  running = 0;
  /** How often the last block has ended. */
  unblocked = 0;
  #finished = 0;

  constructor() {
    this.results = new Broadcaster({
      ...{ clock: this.clock, events: this.events, errors: this.errors, alarms: this.alarms },
      unfinished: () => this.running,
      onUnblocked: () => this.unblocked++,
    });
  }

  subscribe(options: SubscribeOptions = {}, retained: readonly TaskResult[] = []): Subscription {
    return this.results.subscribe(readSubscribeOptions(options), retained);
  }

  /** A task has completed; its value is its number, where no other is given. */
  finish(value: unknown = this.#finished + 1): FinishedEvent {
    const event = this.newEvent(value);
    this.events.publish(event);
    return event;
  }

  finishMany(count: number): void {
    for (let one = 0; one < count; one++) this.finish();
  }

  /** The end of a task that nobody has heard of yet. */
  newEvent(value: unknown): FinishedEvent {
    const task = newTask({ number: ++this.#finished, state: "running" });
    task.move(MOVES.running.complete);
    task.finishedAt = this.clock.now();
    return new FinishedEvent(task, value, 0);
  }
}

/** Takes what is buffered, without waiting for more. */
export async function readBuffered(subscription: Subscription): Promise<unknown[]> {
  const values: unknown[] = [];
  while (subscription.buffered > 0) values.push((await subscription.next()).value?.value);
  return values;
}

/** Reads to the end. */
export async function readAll(subscription: AsyncIterable<TaskResult>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const { value } of subscription) values.push(value);
  return values;
}

/** The counts that always go up together. */
export function countsOf({ published, delivered, dropped, buffered }: Subscription) {
  return { published, delivered, dropped, buffered };
}
