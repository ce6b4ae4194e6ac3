import { toEnvelope } from "../../../task/to-envelope.js";
import type { ThreadStart, ThreadStarted } from "../messages.js";
import { ThreadSession } from "./thread-session.js";
import { keepWorkerData } from "./worker-value.js";

/**
 * What tinypool runs in a new thread, once: it gets the thread ready, and leaves a session behind that
 * listens at our own port for as long as the thread lives.
 */
export default async function startThread(start: ThreadStart): Promise<ThreadStarted> {
  try {
    keepWorkerData(start.workerData);
    for (const url of start.preload) await import(url);
    new ThreadSession(start).open();
    return {};
  } catch (error) {
    return { failure: toEnvelope(error) };
  }
}
