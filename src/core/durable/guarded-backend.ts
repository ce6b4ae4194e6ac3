import type {
  Ack,
  Backend,
  CancelAnswer,
  Cancellation,
  ClaimAnswer,
  ClaimRequest,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  Nack,
  NewTask,
} from "../../ports/backend.js";
import type { BackendInspector } from "../../ports/backend-inspector.js";
import type { BackendSignals, SignalListener } from "../../ports/backend-signals.js";
import type { Clock } from "../../ports/clock.js";
import type { BackendRenewer } from "../../ports/lease-renewal.js";
import { StoreUnreachableError } from "../../store-errors.js";
import { GuardedRenewer } from "./guarded-renewer.js";
import * as sound from "./sound-answers.js";

/**
 * A backend as its port promises it, whatever it does: each call settles in time, by an answer that can be
 * read or by a rejection, and none throws. An answer that makes no sense is none: then it is not known
 * whether the call was executed, and it can be made again.
 */
export class GuardedBackend implements Backend {
  readonly signals: BackendSignals;
  readonly inspector: BackendInspector;
  readonly renewer: BackendRenewer | undefined;
  readonly #backend: Backend;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #underWay = new Set<(error: Error) => void>();

  /** @param timeoutMs within which each call settles */
  constructor(backend: Backend, clock: Clock, timeoutMs: number) {
    this.#backend = backend;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.signals = { listen: (queues, listener) => this.#listen(queues, listener) };
    const { inspector } = backend;
    this.renewer = backend.renewer && new GuardedRenewer(backend.renewer, clock);
    this.inspector = {
      read: (ids, options) => this.#call("read", () => inspector.read(ids, options), sound.storedTasks(ids)),
      counts: (queues) => this.#call("counts", () => inspector.counts(queues), sound.oneFor(queues)),
      replay: (request) => this.#call("replay", () => inspector.replay(request), sound.replayed),
    };
  }

  enqueue(requestId: string, tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    return this.#call("enqueue", () => this.#backend.enqueue(requestId, tasks), sound.enqueued(tasks));
  }

  claim(request: ClaimRequest): Promise<ClaimAnswer> {
    return this.#call("claim", () => this.#backend.claim(request), sound.claimed(request));
  }

  extend(extensions: readonly Extension[]): Promise<readonly ExtendAnswer[]> {
    return this.#call("extend", () => this.#backend.extend(extensions), sound.extended(extensions));
  }

  ack(ends: readonly Ack[]): Promise<readonly boolean[]> {
    return this.#call("ack", () => this.#backend.ack(ends), sound.flags(ends));
  }

  nack(returns: readonly Nack[]): Promise<readonly boolean[]> {
    return this.#call("nack", () => this.#backend.nack(returns), sound.flags(returns));
  }

  deadLetter(ends: readonly DeadLetter[]): Promise<readonly boolean[]> {
    return this.#call("deadLetter", () => this.#backend.deadLetter(ends), sound.flags(ends));
  }

  cancel(cancellations: readonly Cancellation[]): Promise<readonly CancelAnswer[]> {
    return this.#call("cancel", () => this.#backend.cancel(cancellations), sound.cancelled(cancellations));
  }

  /** Calls that are under way reject. It settles in time as well, and never rejects. */
  async close(): Promise<void> {
    const unanswered = [...this.#underWay];
    const close = () => this.#backend.close().then(() => true as const);
    const closed = this.#call("close", close, sound.done, CLOSE_MS).catch(() => {});
    const error = new StoreUnreachableError("The backend was closed before it answered");
    for (const refuse of unanswered) refuse(error);
    await closed;
  }

  #listen(queues: readonly string[], listener: SignalListener): () => void {
    try {
      const unlisten = this.#backend.signals.listen(queues, listener);
      return () => {
        try {
          unlisten();
        } catch {} // it is of no use any more either way
      };
    } catch {
      return () => {}; // the store is asked from time to time instead
    }
  }

  #call<A>(
    name: string,
    call: () => Promise<A>,
    read: (answer: unknown) => A | undefined,
    timeoutMs = this.#timeoutMs,
  ): Promise<A> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(
        () => refuse(new StoreUnreachableError(`The backend did not answer \`${name}\` in ${timeoutMs} ms`)),
        timeoutMs,
      );
      const leave = () => {
        timer.cancel();
        this.#underWay.delete(refuse);
      };
      const refuse = (error: unknown) => {
        leave();
        reject(error instanceof Error ? error : failure(name, error));
      };
      this.#underWay.add(refuse);
      const take = (answer: A) => {
        leave();
        const known = read(answer);
        if (known === undefined) reject(nonsense(name));
        else resolve(known);
      };
      try {
        call().then(take, refuse);
      } catch (error) {
        refuse(error);
      }
    });
  }
}

/** So long the end of a backend is waited for. */
const CLOSE_MS = 1_000;

function nonsense(name: string): StoreUnreachableError {
  return new StoreUnreachableError(`The backend gave an answer to \`${name}\` that makes no sense`);
}

function failure(name: string, cause: unknown): StoreUnreachableError {
  return new StoreUnreachableError(`The backend failed at \`${name}\``, { cause });
}
