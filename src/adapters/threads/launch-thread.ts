import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import type { ThreadSettings } from "../../task/thread-options.js";
import type { ThreadStart, ThreadStarted } from "./messages.js";
import type { Pulse } from "./pulses.js";
import { TaskWords } from "./task-words.js";

/** What a thread tells on its own account. It is told that it has exited once, and after all else. */
export interface ThreadListener {
  /** It can take tasks, or why it cannot. */
  started(answer: ThreadStarted): void;
  /** It will not: what it was given did not come to it. */
  notStarted(error: unknown): void;
  told(message: unknown): void;
  /** Its loop has died of this; the exit follows. */
  failed(error: unknown): void;
  exited(exitCode: number): void;
}

/** A thread that was launched. */
export interface LaunchedThread {
  readonly threadId: number;
  readonly port: MessagePort;
  readonly words: TaskWords;
  /** Ends it wherever it is, but for code of others that is no JavaScript. `exited` follows. */
  terminate(): void;
}

/** The worker of `node:worker_threads` that tinypool keeps in its own. */
interface ThreadOfTinypool {
  readonly thread: Worker;
}

/**
 * Launches one thread: a tinypool of its own, of exactly one thread, which is given one task. That task only
 * sets our own channel up and is done, so that nothing of what tinypool does not promise is rested on: the
 * thread is watched by its own events, and a broken one is thrown away with its pool.
 * @throws whatever the platform throws where it cannot make a thread
 */
export async function launchThread(
  settings: ThreadSettings,
  pulse: Pulse | undefined,
  listener: ThreadListener,
): Promise<LaunchedThread> {
  const { Tinypool } = await import("tinypool"); // only here: who needs no threads does not load it
  const { env, argv, execArgv, resourceLimits, workerData, preload, maxHeapMb } = settings;
  const pool = new Tinypool({
    minThreads: 1,
    maxThreads: 1,
    useAtomics: false, // with it, the thread's event loop would stand still between messages
    env: { ...env },
    argv: [...argv],
    execArgv: [...execArgv],
    resourceLimits,
  });
  pool.on("error", () => {}); // heard from the thread itself
  const [worker] = pool.threads as unknown as readonly ThreadOfTinypool[];
  const thread = (worker as ThreadOfTinypool).thread;
  guardMessages(thread);
  thread.prependListener("error", (error: unknown) => {
    pool.options.minThreads = 0; // else tinypool would make another thread, which nobody has asked for
    listener.failed(error);
  });
  const { threadId } = thread;
  thread.once("exit", (exitCode) => {
    listener.exited(exitCode); // who reads the channel out before it is closed
    port1.close();
  });
  const { port1, port2 } = new MessageChannel();
  // Not by its pool: where a thread meets an error while that waits for its exit, tinypool throws here, on
  // the main thread.
  const terminate = () => void thread.terminate();
  port1.on("message", (message: unknown) => listener.told(message));
  port1.on("messageerror", (error) => {
    listener.failed(error);
    terminate();
  });
  port1.on("close", terminate); // without its channel, a thread would be given tasks that it never hears of
  port1.unref();
  const words = new TaskWords();
  const start: ThreadStart = {
    ...{ port: port2, words: words.words, pulse: pulse?.word, preload, workerData },
    maxHeapBytes: maxHeapMb * 1_048_576,
  };
  const filename = new URL("./inside/thread-entry.js", import.meta.url).href;
  const answer: Promise<ThreadStarted> = pool.run(start, { filename, transferList: [port2] });
  answer.then(
    (started) => listener.started(started),
    (error: unknown) => listener.notStarted(error),
  );
  return { threadId, port: port1, words, terminate };
}

/**
 * Hands tinypool nothing but the message that it waits for. Whatever else the code of a user posts on
 * `parentPort` would make it end the thread, and `null` would throw here, on the main thread.
 */
function guardMessages(thread: Worker): void {
  const [hear] = thread.listeners("message");
  thread.removeAllListeners("message");
  thread.on("message", (message: unknown) => {
    const isReady = typeof message === "object" && message !== null && "ready" in message;
    if (isReady && message.ready === true && Object.keys(message).length === 1) hear?.call(thread, message);
  });
  thread.unref(); // to listen keeps the process alive, which is for those to do who wait for a task
}
