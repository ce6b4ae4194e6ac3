import type {
  Ack,
  Backend,
  Cancellation,
  ClaimRequest,
  DeadLetter,
  Extension,
  Nack,
  NewTask,
} from "../../ports/backend.js";
import type { BackendInspector } from "../../ports/backend-inspector.js";
import type { BackendSignals } from "../../ports/backend-signals.js";
import type { BackendRenewer } from "../../ports/lease-renewal.js";
import type { StoreCalls } from "./store-calls.js";

/** A backend all of whose calls are counted. */
export class CountedBackend implements Backend {
  readonly signals: BackendSignals;
  readonly inspector: BackendInspector;
  /** Counted by who keeps the leases: it is told what becomes of them. */
  readonly renewer: BackendRenewer | undefined;
  readonly #backend: Backend;
  readonly #calls: StoreCalls;

  constructor(backend: Backend, calls: StoreCalls) {
    const { inspector, signals } = backend;
    this.signals = signals;
    this.renewer = backend.renewer;
    this.inspector = {
      read: (ids, options) => calls.make("read", () => inspector.read(ids, options)),
      counts: (queues) => calls.make("counts", () => inspector.counts(queues)),
      replay: (request) => calls.make("replay", () => inspector.replay(request)),
    };
    this.#backend = backend;
    this.#calls = calls;
  }

  enqueue(requestId: string, tasks: readonly NewTask[]) {
    return this.#calls.make("enqueue", () => this.#backend.enqueue(requestId, tasks));
  }

  claim(request: ClaimRequest) {
    return this.#calls.make("claim", () => this.#backend.claim(request));
  }

  extend(extensions: readonly Extension[]) {
    return this.#calls.make("extend", () => this.#backend.extend(extensions));
  }

  ack(ends: readonly Ack[]) {
    return this.#calls.make("ack", () => this.#backend.ack(ends));
  }

  nack(returns: readonly Nack[]) {
    return this.#calls.make("nack", () => this.#backend.nack(returns));
  }

  deadLetter(ends: readonly DeadLetter[]) {
    return this.#calls.make("deadLetter", () => this.#backend.deadLetter(ends));
  }

  cancel(cancellations: readonly Cancellation[]) {
    return this.#calls.make("cancel", () => this.#backend.cancel(cancellations));
  }

  close(): Promise<void> {
    return this.#backend.close();
  }
}
