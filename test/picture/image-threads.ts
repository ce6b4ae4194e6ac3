import type { MeterProvider } from "@opentelemetry/sdk-metrics";
// Threads run what is compiled, and so does the manager that hands tasks to them.
import { defineHandlers, json, TaskManager } from "../../dist/index.js";
import { instrument } from "../../src/adapters/otel/index.js";
import type { EventfulDay } from "./eventful-day.js";

const module = new URL("../fixtures/threads-otel/images.mjs", import.meta.url);

const handlers = defineHandlers({
  render: { payload: json<{ ms: number; end?: string }>(), module, timeoutMs: 400, killAfterMs: 100 },
  label: { payload: json<{ ms: number }>(), module },
  archive: { payload: json<object>(), module: new URL("there-is-no-such-file.mjs", module) },
});

/** The third manager of the shop: its tasks run in worker threads, some of which they do not survive. */
export class ImageThreads {
  readonly #day: EventfulDay;
  readonly #tasks: TaskManager<typeof handlers>;

  constructor(day: EventfulDay, meterProvider: MeterProvider) {
    this.#day = day;
    this.#tasks = new TaskManager({
      ...{ handlers, defaultQueue: "images", capacity: 100, whenFull: "drop-oldest" },
      threads: { min: 1, max: 4, idleTimeoutMs: 3_000, scaleUpAfterMs: 20 },
    });
    instrument(this.#tasks as never, { name: "images", meterProvider });
  }

  render(): void {
    const isBad = this.#day.isAct("hanging") && this.#day.chance(0.2);
    const end = ["hang", "exit", "late"][Math.floor(this.#day.between(0, 3))];
    this.#tasks.enqueue("render", { ms: this.#day.between(10, 60), ...(isBad && end ? { end } : {}) });
  }

  /** Small ones, which travel together. */
  label(): void {
    this.#tasks.enqueue("label", { ms: this.#day.between(0, 0.1) });
  }

  archive(): void {
    if (this.#day.isAct("carrierDown")) this.#tasks.enqueue("archive", {});
  }

  async stop(): Promise<void> {
    await this.#tasks.stopNow();
  }
}
