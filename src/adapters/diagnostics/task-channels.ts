import { tracingChannel } from "node:diagnostics_channel";
import type { CapturedContext, ContextCarrier } from "../../ports/context-carrier.js";
import type { InstrumentationPoint } from "../../ports/instrumentation.js";
import type { Eventually, Outcome } from "../../task/outcome.js";
import { isTerminal } from "../../task/states.js";
import type { Task } from "../../task/task.js";
import type { TaskEvent, TaskEventType } from "../../task/task-event.js";
import type { TaskSnapshot } from "../../task/task-snapshot.js";
import { toSnapshot } from "../../task/to-snapshot.js";
import { type Channels, Trace } from "./trace.js";
import type { TracedAttempt, TracedTask } from "./traced.js";

/** After these an attempt is over, and has not failed: the last three are of tasks that live in a store. */
const PLAIN_ENDS = ["rescheduled", "handedBack", "interrupted", "leaseLost", "ackUnknown"] as const;

const TYPES: readonly TaskEventType[] = ["retried", "finished", ...PLAIN_ENDS];

/**
 * Publishes to the tracing channels `millrace:task` and `millrace:attempt`, while somebody subscribes to one
 * of them; until then it is passed over, and listens to nothing.
 *
 * As a carrier it learns of tasks when they have been accepted, still within the call, and wraps attempts.
 * How an attempt ended is told by what followed from it, which is also when one that is given up has ended;
 * what its handler does later is not heard here.
 */
export class TaskChannels implements ContextCarrier {
  readonly #point: Pick<InstrumentationPoint, "clock" | "listen">;
  readonly #tasks: Channels<TracedTask> = tracingChannel("millrace:task");
  readonly #attempts: Channels<TracedAttempt> = tracingChannel("millrace:attempt");
  readonly #liveTasks = new Map<string, Trace<TracedTask>>();
  readonly #liveAttempts = new Map<string, Trace<TracedAttempt>>();
  #listening: Disposable | undefined;

  constructor(point: Pick<InstrumentationPoint, "clock" | "listen">) {
    this.#point = point;
  }

  get active(): boolean {
    return this.#attempts.hasSubscribers || this.#tasks.hasSubscribers;
  }

  capture(task: Task): undefined {
    if (!this.#tasks.hasSubscribers) return;
    const trace = new Trace(this.#tasks, { task: this.#picture(task) });
    trace.begin(() => {});
    if (isTerminal(task.state)) {
      trace.finish(this.#picture(task), toError(task)); // who heard of its acceptance has ended it
    } else {
      this.#liveTasks.set(task.id, trace);
      this.#listen();
    }
  }

  run(
    _captured: CapturedContext | undefined,
    task: Task,
    perform: () => Eventually<Outcome>,
  ): Eventually<Outcome> {
    if (!this.#attempts.hasSubscribers) return perform();
    const trace = new Trace(this.#attempts, { task: this.#picture(task), attempt: task.attempt });
    this.#liveAttempts.set(task.id, trace);
    this.#listen();
    return trace.begin(perform);
  }

  #picture(task: Task): TaskSnapshot {
    const { clock } = this.#point;
    return toSnapshot(task, clock.wallNow() - clock.now());
  }

  #listen(): void {
    this.#listening ??= this.#point.listen((event) => this.#hear(event), TYPES);
  }

  #unlisten(): void {
    if (this.#liveTasks.size + this.#liveAttempts.size > 0) return;
    this.#listening?.[Symbol.dispose]();
    this.#listening = undefined;
  }

  #hear(event: TaskEvent): void {
    if (event.type === "retried") this.#finishAttempt(event.task, event.error);
    else if (event.type === "finished") this.#finish(event.task);
    else if (isPlainEnd(event)) this.#finishAttempt(event.task, undefined);
  }

  #finish(task: TaskSnapshot): void {
    const error = toError(task);
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

function isPlainEnd(event: TaskEvent): event is Extract<TaskEvent, { type: (typeof PLAIN_ENDS)[number] }> {
  const ends: readonly string[] = PLAIN_ENDS;
  return ends.includes(event.type);
}

/** A task that was cancelled has not failed. */
function toError({ state, error }: Pick<TaskSnapshot, "state" | "error">): Error | undefined {
  return state === "failed" ? error : undefined;
}
