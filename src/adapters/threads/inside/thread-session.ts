import { getHeapStatistics } from "node:v8";
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { checkClone } from "../../../task/clone-check.js";
import { fromEnvelope } from "../../../task/from-envelope.js";
import { isSteering } from "../../../task/steering.js";
import { isStopRefusal, quietInStop } from "../../../task/stop-refusal.js";
import type { EnqueuedTask } from "../../../task/task-context.js";
import { toEnvelope } from "../../../task/to-envelope.js";
import type { MessageFromThread, MessageToThread, RunMessage, ThreadStart } from "../messages.js";
import { TaskWords } from "../task-words.js";
import { toText } from "../to-text.js";
import { Enqueuer } from "./enqueuer.js";
import { type FaultListener, Faults } from "./faults.js";
import { HandlerLoader, type LoadedHandler } from "./handler-loader.js";
import { PulseCounter } from "./pulse-counter.js";
import { refuseResult, refuseUnsent } from "./result-check.js";
import { carry, findCarriers } from "./thread-carriers.js";
import { threadNow } from "./thread-clock.js";
import { ThreadContext } from "./thread-context.js";
import { type TaskHost, ThreadTask } from "./thread-task.js";

/**
 * One thread's side of the channel. It is given a batch at a time, and runs its tasks one after another; the
 * end of each is told by itself and at once, so that nothing that has ended is lost with the thread.
 *
 * When something of the running task throws outside of its handler's promise, the task has ended with that,
 * and the session begins nothing more: the main thread takes back what has not begun, and ends the thread.
 */
export class ThreadSession implements FaultListener, TaskHost {
  readonly #port: MessagePort;
  readonly #words: TaskWords;
  readonly #maxHeapBytes: number;
  readonly #loader = new HandlerLoader();
  readonly #faults = new Faults(this);
  readonly #enqueuer: Enqueuer;
  readonly #pulse: PulseCounter;
  #running: ThreadTask | undefined;
  #doomed = false;
  #stop: { readonly reason: unknown } | undefined;

  constructor({ port, words, pulse, maxHeapBytes }: ThreadStart) {
    this.#port = port;
    this.#words = new TaskWords(words);
    this.#pulse = new PulseCounter(pulse);
    this.#maxHeapBytes = maxHeapBytes;
    this.#enqueuer = new Enqueuer((message) => this.#post(message));
  }

  get stop(): { readonly reason: unknown } | undefined {
    return this.#stop;
  }

  get importing(): boolean {
    return this.#loader.importing;
  }

  open(): void {
    this.#faults.watch();
    this.#port.on("message", (message: MessageToThread) => this.#hear(message));
    this.#port.on("messageerror", () => this.#post({ type: "unread" }));
  }

  lookForAbort(task: ThreadTask): void {
    if (this.#words.isAborted(task.batch.batch, task.index)) this.#hearAll();
  }

  lookForStop(): void {
    if (this.#stop === undefined && this.#words.stopping) this.#hearAll();
  }

  postProgress({ index, handler }: ThreadTask, value: unknown): void {
    const { problem } = checkClone(value, handler.source.maxResultBytes, "progress", [], "refused");
    try {
      this.#post({ type: "progress", index, value: problem === undefined ? value : `[${problem}]` });
    } catch (error) {
      // It never throws; that it was told of progress counts for more than what it was told.
      this.#post({ type: "progress", index, value: `[${toText(error)}]` });
    }
  }

  enqueue(task: ThreadTask, durable: boolean, ...given: [unknown, unknown, unknown]): Promise<EnqueuedTask> {
    try {
      return quietInStop(this.#enqueuer.enqueue(task, durable, ...given), isStopRefusal);
    } catch (refused) {
      return Promise.reject(refused); // here, and not by a stop: a fault that has to be seen
    }
  }

  faulted(task: ThreadTask, thrown: unknown): void {
    this.#doomed = true;
    this.#throw(task, thrown, true);
  }

  faultedLate(task: ThreadTask | undefined, thrown: unknown): void {
    const { id, batch, handler } = task ?? {};
    this.#post({
      type: "lateFault",
      ...{ id, handler: handler?.source.name, queue: batch?.queue, error: toEnvelope(thrown) },
    });
  }

  exits(task: ThreadTask | undefined, exitCode: number): void {
    this.#doomed = true;
    task?.end();
    if (task !== undefined) return; // its word says that it has begun, and the thread's end says the rest
    const error = new Error(`The module called process.exit(${exitCode}) when it was imported`);
    this.#post({ type: "loadFailed", error: toEnvelope(error) });
  }

  #hearAll(): void {
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port))
      this.#hear(next.message as MessageToThread);
  }

  #hear(message: MessageToThread): void {
    switch (message.type) {
      case "run":
        void (message.watched ? this.#runWatched(message) : this.#run(message));
        break;
      case "abort": {
        const task = this.#running;
        if (task?.index === message.index && task.batch.batch === message.batch)
          this.#abort(task, fromEnvelope(message.reason));
        break;
      }
      case "stopping":
        this.#stop = { reason: fromEnvelope(message.reason) };
        if (this.#running !== undefined) this.#faults.runAs(this.#running, announceStop);
        break;
      case "enqueued":
        this.#enqueuer.accepted(message.call, message.task);
        break;
      case "refused":
        this.#enqueuer.refused(message.call, fromEnvelope(message.error));
    }
  }

  /** As the task, so that it is the task's own fault what its listeners throw. */
  #abort(task: ThreadTask, reason: unknown): void {
    this.#faults.runAs(task, () => task.abort(reason));
  }

  async #runWatched(batch: RunMessage): Promise<void> {
    this.#pulse.begin();
    try {
      await this.#run(batch);
    } finally {
      this.#pulse.end();
    }
  }

  async #run(batch: RunMessage): Promise<void> {
    // Who tells where it is found waits to be told that it has been found.
    const known = batch.source === undefined ? this.#loader.find(batch.handler) : undefined;
    const handler = known ?? (await this.#load(batch));
    if (handler === undefined) return;
    for (let index = 0; index < batch.tasks.length && !this.#doomed; index++) {
      if (!this.#words.begin(batch.batch, index)) continue; // the main thread has taken it back
      const task = new ThreadTask(this, handler, batch, index);
      this.#running = task;
      const pending = this.#faults.runAs(task, begin);
      if (pending !== undefined) await pending;
    }
  }

  async #load({ handler, source }: RunMessage): Promise<LoadedHandler | undefined> {
    this.#post({ type: "importing" });
    try {
      const loaded = await this.#loader.load(handler, source);
      if (!this.#doomed) this.#post({ type: "loaded" });
      return loaded;
    } catch (error) {
      this.#doomed = true; // what failed to be imported is not imported again in this thread
      this.#post({ type: "loadFailed", error: toEnvelope(error) });
      return undefined;
    }
  }

  invoke(task: ThreadTask): Promise<void> | undefined {
    try {
      const value = call(task);
      if (isThenable(value)) return this.#settle(task, value);
      this.#return(task, value);
    } catch (thrown) {
      this.#throw(task, thrown, false);
    }
    return undefined;
  }

  async #settle(task: ThreadTask, pending: PromiseLike<unknown>): Promise<void> {
    try {
      this.#return(task, await pending);
    } catch (thrown) {
      this.#throw(task, thrown, false);
    }
  }

  #return(task: ThreadTask, value: unknown): void {
    if (task.over) return;
    const thrown = isSteering(value) ? value : refuseResult(task.handler.source, value);
    if (thrown !== undefined) {
      this.#throw(task, thrown, false);
      return;
    }
    const runMs = threadNow() - task.startedAt;
    this.#end(task);
    try {
      this.#post([task.index, value, runMs]);
    } catch (error) {
      this.#postThrew(task, refuseUnsent(task.handler.source, error), runMs, false);
    }
  }

  #throw(task: ThreadTask, thrown: unknown, fault: boolean): void {
    if (task.over) return;
    const runMs = threadNow() - task.startedAt;
    this.#end(task);
    this.#postThrew(task, thrown, runMs, fault);
  }

  #postThrew({ index }: ThreadTask, thrown: unknown, runMs: number, fault: boolean): void {
    this.#post({ type: "threw", index, error: toEnvelope(thrown), runMs, fault });
  }

  #end(task: ThreadTask): void {
    task.end();
    if (this.#running === task) this.#running = undefined;
    if (this.#maxHeapBytes === Number.POSITIVE_INFINITY) return;
    if (getHeapStatistics().used_heap_size > this.#maxHeapBytes) this.#post({ type: "heapFull" });
  }

  reportCarrier(error: unknown): void {
    this.#post({ type: "carrierFailed", error: toEnvelope(error) });
  }

  #post(message: MessageFromThread): void {
    this.#port.postMessage(message);
  }
}

function begin(task: ThreadTask): Promise<void> | undefined {
  return task.host.invoke(task);
}

function announceStop(task: ThreadTask): void {
  task.announceStop(task.host.stop?.reason);
}

/** Calls the handler inside whatever carries context in this thread. */
function call(task: ThreadTask): unknown {
  const { run } = task.handler;
  const [, , payload, extras] = task.handed;
  const context = new ThreadContext(task);
  const carriers = findCarriers();
  if (carriers === undefined) return run(payload as never, context);
  return carry(carriers, {
    headers: extras?.headers,
    context,
    call: () => run(payload as never, context),
    report: (error) => task.host.reportCarrier(error),
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}
