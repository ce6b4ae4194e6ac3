import type { ErrorEnvelope } from "../../task/error-envelope.js";
import type {
  EnqueueMessage,
  LateFaultMessage,
  MessageFromThread,
  ReturnedMessage,
  ThrewMessage,
} from "./messages.js";

/** Who is told what the running handler says. */
export interface BatchListener {
  progressed(index: number, value: unknown): void;
  enqueues(message: EnqueueMessage): Promise<void>;
}

/** Who is told what a thread says. `index` is a task's place in the present batch. */
export interface MessageListener {
  /** The present one, whose handlers report and enqueue. */
  readonly batch: BatchListener | undefined;
  returned(index: number, value: unknown, runMs: number): void;
  threw(message: ThrewMessage): void;
  /** Of the batch. */
  heard(): void;
  loaded(): void;
  loadFailed(error: ErrorEnvelope): void;
  faultedLate(message: LateFaultMessage): void;
  carrierFailed(error: ErrorEnvelope): void;
  heapFull(): void;
  unread(): void;
}

/**
 * Calls what a message is for. It trusts no more than it must: code of a user that has got hold of the
 * channel harms its own thread with what it says there, but not this one.
 */
export function hear(told: unknown, listener: MessageListener): void {
  if (typeof told !== "object" || told === null) return;
  const message = told as MessageFromThread;
  if (!("type" in message)) {
    const [index, value, runMs] = Array.isArray(message) ? message : NOTHING;
    listener.returned(toIndex(index), value, toRunMs(runMs));
    return;
  }
  switch (message.type) {
    case "threw":
      listener.threw({ ...message, index: toIndex(message.index), runMs: toRunMs(message.runMs) });
      break;
    case "importing":
      listener.heard();
      break;
    case "loaded":
      listener.loaded();
      break;
    case "loadFailed":
      listener.loadFailed(message.error);
      break;
    case "progress":
      listener.batch?.progressed(toIndex(message.index), message.value);
      break;
    case "enqueue":
      void listener.batch?.enqueues({ ...message, index: toIndex(message.index) });
      break;
    case "lateFault":
      listener.faultedLate(message);
      break;
    case "carrierFailed":
      listener.carrierFailed(message.error);
      break;
    case "unread":
      listener.unread();
      break;
    case "heapFull":
      listener.heapFull();
  }
}

/** Where no attempt is. */
const NOWHERE = -1;

const NOTHING: ReturnedMessage = [NOWHERE, undefined, 0];

/** A place in a batch; a list has members beside those, which are no attempts. */
function toIndex(told: unknown): number {
  return typeof told === "number" ? told : NOWHERE;
}

function toRunMs(told: unknown): number {
  return typeof told === "number" && told >= 0 && told < Number.POSITIVE_INFINITY ? told : 0;
}
