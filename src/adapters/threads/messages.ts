import type { MessagePort } from "node:worker_threads";
import type { ErrorEnvelope } from "../../task/error-envelope.js";
import type { TaskMetadata } from "../../task/metadata.js";
import type { EnqueuedTask } from "../../task/task-context.js";

/** What a new thread is given. */
export interface ThreadStart {
  readonly port: MessagePort;
  /** Shared; see `TaskWords`. */
  readonly words: Int32Array;
  /** One word, shared: where it counts the turns of its event loop. Undefined where none was free. */
  readonly pulse: Int32Array | undefined;
  /** Modules to import first. */
  readonly preload: readonly string[];
  readonly workerData: unknown;
  /** It tells when its heap is larger after a task; Infinity for no limit. */
  readonly maxHeapBytes: number;
}

/** How a start went. */
export interface ThreadStarted {
  /** Why the thread cannot be used. */
  readonly failure?: ErrorEnvelope | undefined;
}

/** Where a thread finds a handler, and what holds for its results. */
export interface HandlerSource {
  readonly name: string;
  readonly url: string;
  readonly exportName: string;
  readonly maxResultBytes: number;
  /** The name of the codec that has made bytes of its payloads; undefined where they are cloned. */
  readonly codec: string | undefined;
}

/** What few tasks have. */
export interface TaskExtras {
  readonly name?: string | undefined;
  readonly maxAttempts?: number | undefined;
  readonly metadata?: TaskMetadata | undefined;
  readonly correlationId?: string | undefined;
  readonly fencingToken?: number | undefined;
  readonly locals?: object | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** One task of a batch. A tuple, since names would cost more than what they name. */
export type HandedTask = readonly [id: string, attempt: number, payload: unknown, extras?: TaskExtras];

/** Tasks of one handler, queue and priority, to be run one after another. */
export interface RunMessage {
  readonly type: "run";
  /** Its number, which its words hold. */
  readonly batch: number;
  /** By number; its source is told once to each thread. */
  readonly handler: number;
  readonly source?: HandlerSource | undefined;
  readonly queue: string;
  readonly priority: number;
  readonly maxAttempts: number;
  /** Whether turns of the event loop are to be counted until the batch is over. */
  readonly watched: boolean;
  readonly tasks: readonly HandedTask[];
}

/** What a thread is told. */
export type MessageToThread =
  | RunMessage
  /** The running task should end. Its word says so too, from just after this was posted. */
  | { readonly type: "abort"; readonly batch: number; readonly index: number; readonly reason: ErrorEnvelope }
  /** A graceful stop has begun. */
  | { readonly type: "stopping"; readonly reason: ErrorEnvelope }
  /** The answer to `enqueue`: the new task, or why there is none. */
  | { readonly type: "enqueued"; readonly call: number; readonly task: EnqueuedTask }
  | { readonly type: "refused"; readonly call: number; readonly error: ErrorEnvelope };

/** A handler has returned: the task's place in its batch, the value, and how long it ran. */
export type ReturnedMessage = readonly [index: number, value: unknown, runMs: number];

/** What a thread tells. `index` is a task's place in the present batch. */
export type MessageFromThread =
  | ReturnedMessage
  | ThrewMessage
  /** It has heard of the batch, and imports the module of its handler. */
  | { readonly type: "importing" }
  /** The module of the batch's handler has been imported: its first task begins. */
  | { readonly type: "loaded" }
  /** It could not be. Nothing of the batch has begun. */
  | { readonly type: "loadFailed"; readonly error: ErrorEnvelope }
  | { readonly type: "progress"; readonly index: number; readonly value: unknown }
  | EnqueueMessage
  | LateFaultMessage
  /** What carries context in the thread, such as a tracer, has thrown; no task is the worse for it. */
  | { readonly type: "carrierFailed"; readonly error: ErrorEnvelope }
  /** What it was sent cannot be read. */
  | { readonly type: "unread" }
  /** Its heap has grown beyond the limit. */
  | { readonly type: "heapFull" };

/** A handler has thrown. */
export interface ThrewMessage {
  readonly type: "threw";
  readonly index: number;
  readonly error: ErrorEnvelope;
  readonly runMs: number;
  /** Whether something threw outside of the handler's promise: the thread is then not to be used again. */
  readonly fault: boolean;
}

/** A handler enqueues. */
export interface EnqueueMessage {
  readonly type: "enqueue";
  readonly durable: boolean;
  readonly index: number;
  readonly call: number;
  readonly handler: string;
  readonly payload: unknown;
  readonly options: unknown;
}

/** What a finished task, or the module itself, had left behind has thrown. */
export interface LateFaultMessage {
  readonly type: "lateFault";
  readonly id: string | undefined;
  readonly handler: string | undefined;
  readonly queue: string | undefined;
  readonly error: ErrorEnvelope;
}
