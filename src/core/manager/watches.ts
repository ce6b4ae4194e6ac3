import type { Task } from "../../task/task.js";
import type { Alarm, Alarms } from "./alarms.js";

/** Who is told that something outside wants a task to end. */
export interface WatchEvents {
  aborted(task: Task, reason: unknown): void;
  expired(task: Task, now: number): void;
}

/** The tasks of one signal, behind one listener: a thousand listeners on one signal are a leak and O(n²). */
interface SignalWatch {
  readonly tasks: Set<Task>;
  readonly listener: () => void;
}

/** Watches the signals and deadlines that tasks were given, until each task ends. Most tasks have neither. */
export class Watches {
  readonly #alarms: Alarms;
  readonly #events: WatchEvents;
  readonly #signals = new Map<AbortSignal, SignalWatch>();
  readonly #expiries = new Map<Task, Alarm>();

  constructor(alarms: Alarms, events: WatchEvents) {
    this.#alarms = alarms;
    this.#events = events;
  }

  watch(task: Task): void {
    const { details } = task;
    if (details?.signal !== undefined) this.#watchSignal(task, details.signal);
    if (details?.expiresAt !== undefined) this.#watchExpiry(task, details.expiresAt);
  }

  unwatch(task: Task): void {
    const { details } = task;
    if (details?.signal !== undefined) this.#unwatchSignal(task, details.signal);
    const alarm = this.#expiries.get(task);
    if (alarm === undefined) return;
    this.#alarms.clear(alarm);
    this.#expiries.delete(task);
  }

  #watchSignal(task: Task, signal: AbortSignal): void {
    let watch = this.#signals.get(signal);
    if (watch === undefined) {
      const tasks = new Set<Task>();
      const listener = () => {
        for (const each of [...tasks]) this.#events.aborted(each, signal.reason);
      };
      watch = { tasks, listener };
      this.#signals.set(signal, watch);
      signal.addEventListener("abort", listener, { once: true });
    }
    watch.tasks.add(task);
  }

  #unwatchSignal(task: Task, signal: AbortSignal): void {
    const watch = this.#signals.get(signal);
    if (watch === undefined) return;
    watch.tasks.delete(task);
    if (watch.tasks.size > 0) return;
    signal.removeEventListener("abort", watch.listener);
    this.#signals.delete(signal);
  }

  #watchExpiry(task: Task, expiresAt: number): void {
    const alarm: Alarm = { alarmTicket: -1, ring: (now) => this.#events.expired(task, now) };
    this.#expiries.set(task, alarm);
    this.#alarms.set(alarm, expiresAt);
  }
}
