import type { ErrorEnvelope } from "../../task/error-envelope.js";
import type { EnqueueMessage, LateFaultMessage, MessageFromThread, ThrewMessage } from "./messages.js";

/** Who is told what a thread says. `index` is a task's place in the present batch. */
export interface MessageListener {
  returned(index: number, value: unknown, runMs: number): void;
  threw(message: ThrewMessage): void;
  loaded(): void;
  loadFailed(error: ErrorEnvelope): void;
  progressed(index: number, value: unknown): void;
  enqueues(message: EnqueueMessage): void;
  faultedLate(message: LateFaultMessage): void;
  heapFull(): void;
}

/** Calls what a message is for. */
export function hear(message: MessageFromThread, listener: MessageListener): void {
  if (!("type" in message)) {
    listener.returned(...message);
    return;
  }
  switch (message.type) {
    case "threw":
      listener.threw(message);
      break;
    case "loaded":
      listener.loaded();
      break;
    case "loadFailed":
      listener.loadFailed(message.error);
      break;
    case "progress":
      listener.progressed(message.index, message.value);
      break;
    case "enqueue":
      listener.enqueues(message);
      break;
    case "lateFault":
      listener.faultedLate(message);
      break;
    case "heapFull":
      listener.heapFull();
  }
}
