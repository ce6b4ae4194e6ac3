import type { TaskEvent, TaskEventType } from "../../task/task-event.js";
import { RingBuffer } from "../collections/ring-buffer.js";
import type { ObserverErrors } from "./observer-errors.js";

export type TaskEventListener = (event: TaskEvent) => void;

/** One listener's place in the line; the same function may have several. */
interface Place {
  readonly listener: TaskEventListener;
  /** What it hears; undefined for everything. */
  readonly types: readonly TaskEventType[] | undefined;
  ended: boolean;
}

/**
 * The one place where things become observable. Listeners are called in the order of their subscription, each
 * event to all of them before the next event to any, also when a listener causes further events. One that
 * throws is counted and changes nothing. One that was disposed hears no more, not even the present event.
 */
export class EventStream {
  #places: readonly Place[] = [];
  readonly #heard: Record<TaskEventType, number> = {
    queued: 0,
    scheduled: 0,
    started: 0,
    progress: 0,
    retried: 0,
    rescheduled: 0,
    finished: 0,
    dropped: 0,
    abandoned: 0,
    handedBack: 0,
    resultDropped: 0,
    workerStarted: 0,
    workerExited: 0,
    lateFault: 0,
    interrupted: 0,
    leaseLost: 0,
    ackUnknown: 0,
    deadLettered: 0,
    storeLost: 0,
    stopping: 0,
  };
  readonly #undelivered = new RingBuffer<TaskEvent>();
  #delivering: TaskEvent | undefined;
  #position = 0;
  #held = 0;
  readonly #errors: ObserverErrors;

  constructor(errors: ObserverErrors) {
    this.#errors = errors;
  }

  /** False when an event of any type would reach nobody. */
  get active(): boolean {
    return this.#places.length > 0;
  }

  /** How many listeners hear each type. An event that would reach nobody need not be made. */
  get heard(): Readonly<Record<TaskEventType, number>> {
    return this.#heard;
  }

  /** @param types what the listener wants to hear; everything where they are not given */
  subscribe(listener: TaskEventListener, types?: readonly TaskEventType[]): Disposable {
    const place: Place = { listener, types: types && [...new Set(types)], ended: false };
    this.#places = [...this.#places, place];
    this.#count(place, 1);
    return {
      [Symbol.dispose]: () => {
        if (place.ended) return;
        place.ended = true;
        this.#places = this.#places.filter((one) => one !== place);
        this.#count(place, -1);
      },
    };
  }

  publish(event: TaskEvent): void {
    if (this.#held > 0 || this.#delivering !== undefined) this.#undelivered.push(event);
    else this.#deliverFrom(event);
  }

  /** The event that listeners are told of just now. */
  get delivering(): TaskEvent | undefined {
    return this.#delivering;
  }

  /** How many events have been delivered, the present one included. */
  get position(): number {
    return this.#position;
  }

  /** What was published and has come to nobody yet, in its order. */
  undelivered(): Iterable<TaskEvent> {
    return this.#undelivered;
  }

  /**
   * Lets a change of several steps be whole before anybody hears of one of them: a listener that enqueues
   * would else take the room, or the id, that was looked at before the first step and is used by the last.
   */
  hold<T>(change: () => T): T {
    this.#held++;
    try {
      return change();
    } finally {
      this.#held--;
      if (this.#held === 0 && this.#delivering === undefined) this.#deliverFrom(this.#undelivered.shift());
    }
  }

  #count({ types }: Place, by: 1 | -1): void {
    for (const type of types ?? (Object.keys(this.#heard) as TaskEventType[])) this.#heard[type] += by;
  }

  /** Delivers this event and all that it causes. */
  #deliverFrom(event: TaskEvent | undefined): void {
    for (let next = event; next !== undefined; next = this.#undelivered.shift()) {
      this.#delivering = next;
      this.#position++;
      this.#deliver(next);
    }
    this.#delivering = undefined;
  }

  #deliver(event: TaskEvent): void {
    for (const place of this.#places) {
      if (place.ended || place.types?.includes(event.type) === false) continue;
      try {
        place.listener(event);
      } catch (error) {
        this.#errors.record(error, "listener");
      }
    }
  }
}
