import type {
  Ack,
  Backend,
  Cancellation,
  ClaimRequest,
  DeadLetter,
  Extension,
  Nack,
  NewTask,
} from "../../src/ports/backend.js";
import type { BackendInspector } from "../../src/ports/backend-inspector.js";
import type { BackendSignals } from "../../src/ports/backend-signals.js";
import type { Answer } from "./calls.js";
import type { Link } from "./link.js";
import type { SimulatedStore } from "./simulated-store.js";

/** A process's client of the store: all that it does travels. */
export class RemoteBackend implements Backend {
  readonly signals: BackendSignals;
  /** Nobody in the simulator has a use for it. */
  readonly inspector: BackendInspector = { read: unserved, counts: unserved, replay: unserved };
  readonly #link: Link;

  constructor(link: Link, store: SimulatedStore) {
    this.#link = link;
    this.signals = { listen: (_queues, listener) => store.listen(link, listener) };
  }

  enqueue(requestId: string, tasks: readonly NewTask[]): Promise<Answer<"enqueue">> {
    return this.#link.call({ method: "enqueue", args: [requestId, tasks] }) as Promise<Answer<"enqueue">>;
  }

  claim(request: ClaimRequest): Promise<Answer<"claim">> {
    return this.#link.call({ method: "claim", args: [request] }) as Promise<Answer<"claim">>;
  }

  extend(extensions: readonly Extension[]): Promise<Answer<"extend">> {
    return this.#link.call({ method: "extend", args: [extensions] }) as Promise<Answer<"extend">>;
  }

  ack(ends: readonly Ack[]): Promise<Answer<"ack">> {
    return this.#link.call({ method: "ack", args: [ends] }) as Promise<Answer<"ack">>;
  }

  nack(returns: readonly Nack[]): Promise<Answer<"nack">> {
    return this.#link.call({ method: "nack", args: [returns] }) as Promise<Answer<"nack">>;
  }

  deadLetter(ends: readonly DeadLetter[]): Promise<Answer<"deadLetter">> {
    return this.#link.call({ method: "deadLetter", args: [ends] }) as Promise<Answer<"deadLetter">>;
  }

  cancel(cancellations: readonly Cancellation[]): Promise<Answer<"cancel">> {
    return this.#link.call({ method: "cancel", args: [cancellations] }) as Promise<Answer<"cancel">>;
  }

  async close(): Promise<void> {}
}

async function unserved(): Promise<never> {
  throw new Error("The simulator has no inspector");
}
