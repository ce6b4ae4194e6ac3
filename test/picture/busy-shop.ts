import type { MeterProvider } from "@opentelemetry/sdk-metrics";
import { instrument } from "../../src/adapters/otel/index.js";
import { TaskManager } from "../../src/index.js";
import { DurablePost } from "./durable-post.js";
import { ACTS, EventfulDay } from "./eventful-day.js";
import { ImageThreads } from "./image-threads.js";
import { createShopHandlers, pause } from "./shop-handlers.js";

const TICK_MS = 20;
/** Tasks a second, where it is not rush hour. */
const LOAD = {
  charge: 20,
  ship: 22,
  index: 9,
  remind: 4,
  mail: 14,
  render: 9,
  label: 12,
  archive: 2,
  letter: 12,
  parcel: 8,
};
const RUSH = 2.4;

type Handlers = ReturnType<typeof createShopHandlers>;

/** A shop with four managers on an eventful day, which takes `durationMs`: for the picture of the dashboard. */
export class BusyShop {
  readonly #day: EventfulDay;
  readonly #shop: TaskManager<Handlers>;
  readonly #mails: TaskManager<Handlers>;
  readonly #images: ImageThreads;
  readonly #post: DurablePost;
  readonly #end = new AbortController();

  constructor(meterProvider: MeterProvider, durationMs: number) {
    this.#day = new EventfulDay(durationMs);
    const handlers = createShopHandlers(this.#day);
    this.#shop = new TaskManager({
      ...{ handlers, concurrency: 8, capacity: 150, killAfterMs: 100, maxAbandoned: 2 },
      queues: { critical: { share: 6 }, orders: { share: 3 }, bulk: { share: 1 } },
    });
    this.#mails = new TaskManager({
      ...{ handlers, concurrency: 6, capacity: 60, whenFull: "drop-oldest", defaultQueue: "mails" },
      ...{ tasksPerSecond: 20, burst: 5 },
    });
    this.#images = new ImageThreads(this.#day, meterProvider);
    this.#post = new DurablePost(this.#day, meterProvider);
    instrument(this.#shop, { name: "shop", meterProvider });
    instrument(this.#mails, { name: "mails", meterProvider });
    this.#shop.observe({
      onFinished: () => {
        if (this.#day.isAct("carelessHook") && this.#day.chance(0.3)) throw new Error("a careless hook");
      },
    });
  }

  /** Plays the day to its end; when it resolves, all managers have stopped. */
  async run(): Promise<void> {
    this.#day.begin();
    void this.#readResults("audit", 30);
    void this.#readResults("billing", 1);
    let stopping: Promise<unknown> | undefined;
    for (let before = 0; before < 1; ) {
      await pause(TICK_MS);
      const now = this.#day.part();
      this.#enqueueFor((now - before) * (this.#day.durationMs / 1_000));
      this.#toggle(before, now);
      if (this.#day.isAct("mailsStopped")) stopping ??= this.#mails.stopGraceful({ deadlineMs: 200 });
      before = now;
    }
    this.#end.abort();
    await Promise.all([stopping, this.#shop.stopNow(), this.#images.stop(), this.#post.stop()]);
  }

  #enqueueFor(seconds: number): void {
    const rush = this.#day.isAct("rush") ? RUSH : 1;
    const wave = 1 + 0.25 * Math.sin(this.#day.part() * 9 * Math.PI);
    for (const [kind, rate] of Object.entries(LOAD)) {
      const expected = rate * rush * wave * seconds;
      const count = Math.floor(expected) + (this.#day.chance(expected % 1) ? 1 : 0);
      for (let n = 0; n < count; n++) this.#enqueue(kind as keyof typeof LOAD);
    }
  }

  #enqueue(kind: keyof typeof LOAD): void {
    try {
      if (kind === "remind") this.#remind();
      else if (kind === "render" || kind === "label" || kind === "archive") this.#images[kind]();
      else if (kind === "letter" || kind === "parcel") void this.#post.send(kind);
      else if (kind === "mail") this.#mails.enqueue(kind, null);
      else if (kind !== "ship") this.#shop.enqueue(kind, null);
      else this.#shop.enqueueAsync(kind, null, { signal: this.#end.signal }).catch(() => {});
    } catch {
      // Refused for want of room, or since the day is over: that is what the picture is to show.
    }
  }

  /** A plain function that runs later; some are cancelled meanwhile. */
  #remind(): void {
    const handle = this.#shop.enqueue(() => pause(20), { delayMs: this.#day.between(1_000, 3_000) });
    if (this.#day.chance(0.3)) setTimeout(() => handle.cancel(), 800).unref();
  }

  #toggle(before: number, now: number): void {
    const isNow = (at: number) => before < at && now >= at;
    if (isNow(ACTS.mailsPaused[0])) void this.#mails.pause();
    if (isNow(ACTS.mailsPaused[1])) this.#mails.resume();
    if (isNow(ACTS.bulkPaused[0])) void this.#shop.pause({ queue: "bulk" });
    if (isNow(ACTS.bulkPaused[1])) this.#shop.resume({ queue: "bulk" });
  }

  /** A reader that takes its time for each result. */
  async #readResults(name: string, eachMs: number): Promise<void> {
    const results = this.#shop.subscribe({ name, capacity: 40, overflow: "drop-oldest" });
    for await (const _ of results) await pause(eachMs);
  }
}
