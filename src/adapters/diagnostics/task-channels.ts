import { AsyncResource } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import type { CapturedContext, ContextCarrier } from "../../ports/context-carrier.js";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { Eventually, Outcome } from "../../task/outcome.js";
import type { Task } from "../../task/task.js";
import type { TaskEvent, TaskEventType } from "../../task/task-event.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import { toSnapshot } from "../../task/to-snapshot.js";
import { type Channels, Trace } from "./trace.js";
import type { TracedAttempt, TracedTask } from "./traced.js";

const TYPES: readonly TaskEventType[] = ["queued", "scheduled", "retried", "rescheduled", "finished"];

/**
 * Publishes to the tracing channels `millrace:task` and `millrace:attempt`, while somebody subscribes to one
 * of them; until then it is passed over, and listens to nothing.
 *
 * As a carrier it wraps attempts, and learns of tasks. Subscribers may call the manager, so nothing is
 * published while a task is half accepted: its `start` and `end` come with the event of its acceptance, still
 * within the call. How an attempt ended is told by what followed from it, which is also when one that is
 * given up has ended; what its handler does later is not heard here.
 */
export class TaskChannels implements ContextCarrier {
  readonly #point: Pick<InstrumentationPoint, "clock" | "listen">;
  readonly #tasks: Channels<TracedTask> = tracingChannel("millrace:task");
  readonly #attempts: Channels<TracedAttempt> = tracingChannel("millrace:attempt");
  /** Tasks that are being accepted, with the async context of the call. */
  readonly #accepting = new Map<string, AsyncResource>();
  readonly #liveTasks = new Map<string, Trace<TracedTask>>();
  readonly #liveAttempts = new Map<string, Trace<TracedAttempt>>();
  #listening: Disposable | undefined;

  constructor(point: Pick<InstrumentationPoint, "clock" | "listen">) {
    this.#point = point;
  }

  get active(): boolean {
    return this.#attempts.hasSubscribers || this.#tasks.hasSubscribers;
  }

  capture({ id }: Task): undefined {
    if (!this.#tasks.hasSubscribers) return;
    if (this.#accepting.size === 0) queueMicrotask(() => this.#forgetRefused());
    this.#accepting.set(id, new AsyncResource("MillraceTrace", { requireManualDestroy: true }));
    this.#listen();
  }

  run(
    _captured: CapturedContext | undefined,
    task: Task,
    perform: () => Eventually<Outcome>,
  ): Eventually<Outcome> {
    if (!this.#attempts.hasSubscribers) return perform();
    const { id, attempt } = task;
    const { clock } = this.#point;
    const snapshot = toSnapshot(task, clock.wallNow() - clock.now());
    const trace = new Trace(this.#attempts, { task: snapshot, attempt });
    this.#liveAttempts.set(id, trace);
    this.#listen();
    return trace.begin(perform);
  }

  /** The call that accepts a task is over: what was captured and not accepted was refused after all. */
  #forgetRefused(): void {
    this.#accepting.clear();
    this.#unlisten();
  }

  #listen(): void {
    this.#listening ??= this.#point.listen((event) => this.#hear(event), TYPES);
  }

  #unlisten(): void {
    if (this.#accepting.size + this.#liveTasks.size + this.#liveAttempts.size > 0) return;
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
  }

  #hear(event: TaskEvent): void {
    if (event.type === "queued" || event.type === "scheduled") this.#accepted(event.task);
    else if (event.type === "retried") this.#finishAttempt(event.task, event.error);
    else if (event.type === "rescheduled") this.#finishAttempt(event.task, undefined);
    else if (event.type === "finished") this.#finish(event.task);
  }

  #accepted(task: TaskSnapshot): void {
    const scope = this.#accepting.get(task.id);
    if (scope === undefined) return; // a retry, or a task that nobody was there to hear of
    this.#accepting.delete(task.id);
    const trace = new Trace(this.#tasks, { task });
    this.#liveTasks.set(task.id, trace);
    scope.runInAsyncScope(() => trace.begin(() => {}));
  }

  #finish(task: TaskSnapshot): void {
    const error = task.state === "failed" ? task.error : undefined;
    this.#finishAttempt(task, error);
    const trace = this.#liveTasks.get(task.id);
    if (trace === undefined) return;
    this.#liveTasks.delete(task.id);
    this.#unlisten();
    trace.finish(task, error);
  }

  #finishAttempt(task: TaskSnapshot, error: Error | undefined): void {
    const trace = this.#liveAttempts.get(task.id);
    if (trace === undefined) return;
    this.#liveAttempts.delete(task.id);
    this.#unlisten();
    trace.finish(task, error);
  }
}
