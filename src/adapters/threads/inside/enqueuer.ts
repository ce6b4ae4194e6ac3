import { NotAcceptingError, OptionError, QueueFullError } from "../../../errors.js";
import { expected } from "../../../task/checks.js";
import { checkClone } from "../../../task/clone-check.js";
import { refusedPayload } from "../../../task/refused-payload.js";
import type { EnqueuedTask } from "../../../task/task-context.js";
import type { EnqueueMessage } from "../messages.js";
import type { ThreadTask } from "./thread-task.js";

/** So many calls may wait for an answer of the main thread, which is a turn of its event loop away. */
const MAX_CALLS = 10_000;

/** Their payloads may take so much together; what waits alone may take more. */
const MAX_BYTES = 16 * 1_048_576;

/** How far payloads and options are looked at; what they may take is known on the main thread. */
const MAX_PAYLOAD_BYTES = 256 * 1_048_576;
const MAX_OPTIONS_BYTES = 1_048_576;

interface Call {
  readonly bytes: number;
  readonly resolve: (answer: EnqueuedTask) => void;
  readonly reject: (error: unknown) => void;
  /** Where the handler called: the error comes from the main thread, and has none of that in its stack. */
  readonly site: { readonly stack?: string };
}

/** `enqueue` and `enqueueDurable` of a thread's contexts: asks the main thread, which settles each call. */
export class Enqueuer {
  readonly #post: (message: EnqueueMessage) => void;
  readonly #calls = new Map<number, Call>();
  #called = 0;
  /** Of the payloads of those that wait. */
  #bytes = 0;

  constructor(post: (message: EnqueueMessage) => void) {
    this.#post = post;
  }

  enqueue(
    task: ThreadTask,
    durable: boolean,
    ...[handler, payload, options]: [unknown, unknown, unknown]
  ): Promise<EnqueuedTask> {
    if (task.over)
      throw new NotAcceptingError(`Task ${task.id} is over: its thread enqueues nothing more for it`);
    if (typeof handler !== "string")
      throw expected("task", "the name of a handler, in a thread, which cannot send a function", handler);
    const bytes = measure(handler, payload, options);
    if (this.#calls.size >= MAX_CALLS) {
      throw new QueueFullError(`${MAX_CALLS} calls of this thread wait for an answer`, MAX_CALLS);
    }
    if (this.#calls.size > 0 && this.#bytes + bytes > MAX_BYTES) {
      throw new QueueFullError(`Calls of this thread with ${MAX_BYTES} bytes wait for an answer`, MAX_BYTES);
    }
    return new Promise((resolve, reject) => {
      const call = ++this.#called;
      const site: { stack?: string } = {};
      Error.captureStackTrace(site, this.enqueue);
      this.#post({ type: "enqueue", durable, index: task.index, call, handler, payload, options });
      this.#bytes += bytes;
      this.#calls.set(call, { resolve, reject, site, bytes });
    });
  }

  accepted(call: number, task: EnqueuedTask): void {
    this.#take(call)?.resolve(task);
  }

  refused(call: number, error: unknown): void {
    const waiting = this.#take(call);
    if (waiting === undefined) return;
    const frames = waiting.site.stack?.split("\n").slice(1).join("\n");
    if (error instanceof Error && frames) addFrames(error, frames);
    waiting.reject(error);
  }

  #take(call: number): Call | undefined {
    const waiting = this.#calls.get(call);
    this.#calls.delete(call);
    this.#bytes -= waiting?.bytes ?? 0;
    return waiting;
  }
}

/**
 * The bytes of a payload. What the main thread would refuse in any case is refused here: nothing of it is
 * sent.
 */
function measure(handler: string, payload: unknown, options: unknown): number {
  const verdict = checkClone(payload, MAX_PAYLOAD_BYTES, "payload");
  if (verdict.problem !== undefined) throw refusedPayload(handler, verdict.path, verdict.problem);
  const said = checkClone(options, MAX_OPTIONS_BYTES, "options");
  if (said.problem === undefined) return verdict.bytes;
  throw new OptionError(said.path, `Expected \`${said.path}\` to leave a thread: ${said.problem}`);
}

function addFrames(error: Error, frames: string): void {
  const stack = `${error.stack ?? ""}\n${frames}`;
  Reflect.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
}
