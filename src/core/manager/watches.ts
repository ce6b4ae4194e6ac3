import type { Task } from "../../task/task.js";
import type { Alarm, Alarms } from "./alarms.js";
import type { SignalListeners } from "./signal-listeners.js";

/** Who is told that something outside wants a task to end. */
export interface WatchEvents {
  aborted(task: Task, reason: unknown): void;
  expired(task: Task, now: number): void;
}

/** Watches the signals and deadlines that tasks were given, until each task ends. Most tasks have neither. */
export class Watches {
  readonly #alarms: Alarms;
  readonly #signals: SignalListeners;
  readonly #events: WatchEvents;
  readonly #listening = new Map<Task, () => void>();
  readonly #expiries = new Map<Task, Alarm>();

  constructor(alarms: Alarms, signals: SignalListeners, events: WatchEvents) {
    this.#alarms = alarms;
    this.#signals = signals;
    this.#events = events;
  }

  watch(task: Task): void {
    const { signal, expiresAt } = task.details ?? {};
    if (signal !== undefined) {
      const onAbort = () => this.#events.aborted(task, signal.reason);
      this.#listening.set(task, this.#signals.listen(signal, onAbort));
    }
    if (expiresAt !== undefined) {
      const alarm: Alarm = { alarmTicket: -1, ring: (now) => this.#events.expired(task, now) };
      this.#expiries.set(task, alarm);
      this.#alarms.set(alarm, expiresAt);
    }
  }

  unwatch(task: Task): void {
    this.#listening.get(task)?.();
    this.#listening.delete(task);
    const alarm = this.#expiries.get(task);
    if (alarm === undefined) return;
    this.#alarms.clear(alarm);
    this.#expiries.delete(task);
  }
}
