import type { Hooks } from "../../task/hooks.js";
import type { TaskEvent, TaskEventType } from "../../task/task-event.js";
import { callObserver } from "./call-observer.js";
import type { EventStream } from "./event-stream.js";
import type { Mishaps } from "./mishaps.js";
import type { ObserverErrors } from "./observer-errors.js";
import { Outbox, type OutboxParts } from "./outbox.js";

/** Hooks are told of a task that came back when it is queued. */
type HookedType = Exclude<TaskEventType, "handedBack">;

type HookedEvent = Extract<TaskEvent, { readonly type: HookedType }>;

/** Which hook is told of which event. */
const HOOKS = {
  queued: "onQueued",
  scheduled: "onScheduled",
  started: "onStarted",
  progress: "onProgress",
  retried: "onRetried",
  rescheduled: "onRescheduled",
  finished: "onFinished",
  dropped: "onTaskDropped",
  resultDropped: "onResultDropped",
  abandoned: "onAbandoned",
  workerStarted: "onWorkerStarted",
  workerExited: "onWorkerExited",
  lateFault: "onLateFault",
  interrupted: "onInterrupted",
  leaseLost: "onLeaseLost",
  ackUnknown: "onAckUnknown",
  deadLettered: "onDeadLettered",
  storeLost: "onStoreLost",
  stopping: "onStopping",
} as const satisfies Record<HookedType, keyof Hooks>;

const TYPES = Object.keys(HOOKS) as HookedType[];

/** The hooks that were given together, until they are disposed. */
interface Observer {
  readonly hooks: Hooks;
  ended: boolean;
}

/** One hook to call. */
interface HookCall {
  readonly observer: Observer;
  readonly event: HookedEvent;
}

export interface HookRunnerParts extends OutboxParts {
  readonly events: EventStream;
  readonly errors: ObserverErrors;
  readonly mishaps: Mishaps;
}

/**
 * Tells hooks of events, each outside the call in which it happened. Only events for which somebody has a
 * hook are listened to, so that a manager without hooks pays nothing for them.
 */
export class HookRunner {
  readonly #parts: HookRunnerParts;
  readonly #calls: Outbox<HookCall>;

  constructor(parts: HookRunnerParts) {
    this.#parts = parts;
    const onDrop = (count: number) => parts.mishaps.record({ type: "hookCallsDropped", count });
    this.#calls = new Outbox(parts, (call) => this.#call(call), onDrop);
  }

  /** Hook calls that are still to be made. */
  get waiting(): number {
    return this.#calls.size;
  }

  /** Hook calls that were not made, for want of time or room. */
  get dropped(): number {
    return this.#calls.dropped;
  }

  /** Calls none until the hold is disposed. */
  hold(): Disposable {
    return this.#calls.hold();
  }

  /** Calls none of those that still wait. */
  close(): void {
    this.#calls.close();
  }

  /** Calls these hooks from now on; once disposed, not even for what has happened before. */
  observe(hooks: Hooks): Disposable {
    const types = TYPES.filter((type) => hooks[HOOKS[type]] !== undefined);
    if (types.length === 0) return { [Symbol.dispose]: () => undefined };
    const observer: Observer = { hooks, ended: false };
    const listening = this.#parts.events.subscribe((event) => {
      if (event.type !== "handedBack") this.#calls.push({ observer, event });
    }, types);
    return {
      [Symbol.dispose]: () => {
        observer.ended = true;
        listening[Symbol.dispose]();
      },
    };
  }

  /**
   * Resolves when hooks have been called for all that happened before, or when the time has come; it does not
   * wait for what they do.
   */
  async settled(until?: number): Promise<void> {
    await this.#calls.settled(until);
  }

  #call({ observer, event }: HookCall): void {
    if (observer.ended) return;
    const name = HOOKS[event.type];
    callObserver(
      () => tell(observer.hooks, event),
      (error) => this.#parts.errors.record(error, "hook", name),
    );
  }
}

/** Each hook is taken out of the object that holds it before it is called, so that it is given no `this`. */
function tell(hooks: Hooks, event: HookedEvent): unknown {
  switch (event.type) {
    case "progress": {
      const { onProgress } = hooks;
      return onProgress?.(event.task, event.value);
    }
    case "retried": {
      const { onRetried } = hooks;
      return onRetried?.(event.task, Object.freeze({ delayMs: event.delayMs, error: event.error }));
    }
    case "rescheduled": {
      const { onRescheduled } = hooks;
      return onRescheduled?.(event.task, Object.freeze({ delayMs: event.delayMs }));
    }
    case "resultDropped": {
      const { onResultDropped } = hooks;
      const { id, handler, queue, subscription } = event;
      return onResultDropped?.(Object.freeze({ id, handler, queue, subscription }));
    }
    case "workerStarted": {
      const { onWorkerStarted } = hooks;
      return onWorkerStarted?.(event.worker);
    }
    case "workerExited": {
      const { onWorkerExited } = hooks;
      return onWorkerExited?.(event.worker);
    }
    case "lateFault": {
      const { onLateFault } = hooks;
      return onLateFault?.(event.fault);
    }
    case "deadLettered": {
      const { onDeadLettered } = hooks;
      return onDeadLettered?.(event.letter);
    }
    case "storeLost": {
      const { onStoreLost } = hooks;
      return onStoreLost?.(Object.freeze({ queue: event.queue }));
    }
    case "stopping": {
      const { onStopping } = hooks;
      return onStopping?.(Object.freeze({ graceful: event.graceful }));
    }
    default: {
      const hook = hooks[HOOKS[event.type]];
      return hook?.(event.task);
    }
  }
}
