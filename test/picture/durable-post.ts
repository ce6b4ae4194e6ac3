import type { MeterProvider } from "@opentelemetry/sdk-metrics";
import { instrument } from "../../src/adapters/otel/index.js";
import {
  type Backend,
  defineHandlers,
  fixed,
  json,
  memoryBackend,
  StoreUnreachableError,
  TaskManager,
} from "../../src/index.js";
import type { EventfulDay } from "./eventful-day.js";
import { pause } from "./shop-handlers.js";

/** The fourth manager of the shop: its tasks are durable, and their store is away for a while. */
export class DurablePost {
  readonly #day: EventfulDay;
  readonly #tasks: TaskManager<ReturnType<DurablePost["define"]>>;

  constructor(day: EventfulDay, meterProvider: MeterProvider) {
    this.#day = day;
    this.#tasks = new TaskManager({
      ...{ handlers: this.define(), backend: this.#leadTo(memoryBackend()), defaultQueue: "post" },
      ...{ concurrency: 4, leaseMs: 1_000 },
    });
    instrument(this.#tasks as never, { name: "post", meterProvider });
  }

  define() {
    return defineHandlers({
      letter: { payload: json<null>(), run: () => pause(this.#day.between(20, 120)) },
      parcel: {
        ...{ payload: json<null>(), maxAttempts: 2, backoff: fixed({ delayMs: 100 }) },
        run: async () => {
          await pause(this.#day.between(20, 60));
          if (this.#day.chance(0.4)) throw new Error("nobody is at home");
        },
      },
    });
  }

  async send(kind: "letter" | "parcel"): Promise<void> {
    await this.#tasks.enqueueDurable(kind, null).catch(() => {}); // its store is away
  }

  async stop(): Promise<void> {
    await this.#tasks.stopNow();
  }

  #leadTo(store: Backend): Backend {
    const way = async <R>(ask: () => Promise<R>): Promise<R> => {
      await pause(this.#day.between(0, 3));
      if (this.#day.isAct("storeAway")) throw new StoreUnreachableError("the store is away");
      return await ask();
    };
    return {
      signals: store.signals,
      inspector: store.inspector,
      enqueue: (...given) => way(() => store.enqueue(...given)),
      claim: (...given) => way(() => store.claim(...given)),
      extend: (...given) => way(() => store.extend(...given)),
      ack: (...given) => way(() => store.ack(...given)),
      nack: (...given) => way(() => store.nack(...given)),
      deadLetter: (...given) => way(() => store.deadLetter(...given)),
      cancel: (...given) => way(() => store.cancel(...given)),
      close: () => store.close(),
    };
  }
}
