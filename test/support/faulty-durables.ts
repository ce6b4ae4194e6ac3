import type { MeterProvider } from "@opentelemetry/sdk-metrics";
import { instrument } from "../../src/adapters/otel/index.js";
import {
  defineHandlers,
  json,
  memoryBackend,
  StoreUnreachableError,
  type TaskContext,
  TaskManager,
} from "../../src/index.js";
import { ManualClock } from "../../src/testing/index.js";
import { FaultyLink } from "./faulty-store.js";
import type { End, FollowedTasks } from "./followed-tasks.js";
import { untilAborted } from "./manual-manager.js";

const MANAGER = "post";
const QUEUE = "default";
/** How long its tasks run: most others of the workload take no time at all. */
const WORK_MS = 50;
export const LEASE_MS = 3_000;
/** Enough for a backlog. */
export const LEFT_READY = 1_100;
export const HELD = 6;
export const LETTERS = 5;
export const BOUNCED = 3;

type Handler = "letter" | "bounce" | "parcel";

/**
 * A manager with durable tasks, and a store that it does not reach any more in the end. Its time stands still when
 * `run` has resolved, and so nothing changes any more.
 */
export class FaultyDurables implements AsyncDisposable {
  readonly #clock = new ManualClock();
  readonly #store = memoryBackend({ clock: this.#clock });
  readonly #link = new FaultyLink(this.#store.connect());
  readonly #followed: FollowedTasks;
  readonly #post: TaskManager;

  constructor(followed: FollowedTasks, meterProvider: MeterProvider) {
    this.#followed = followed;
    this.#post = new TaskManager({
      ...{ handlers: this.#define(), backend: this.#link.backend, clock: this.#clock },
      ...{ concurrency: 8, leaseMs: LEASE_MS, capacity: 10_000 },
    });
    instrument(this.#post, { name: MANAGER, meterProvider });
  }

  /** While nothing is started. */
  async enqueueFirst(): Promise<void> {
    await this.#post.pause();
    await this.#enqueue("letter", "completed");
    await this.#enqueue("bounce", "error");
    for (let n = 1; n <= HELD; n++) await this.#enqueue("parcel", undefined);
  }

  async run(): Promise<void> {
    this.#post.resume();
    for (let n = 2; n <= LETTERS; n++) await this.#enqueue("letter", "completed");
    for (let n = 2; n <= BOUNCED; n++) await this.#enqueue("bounce", "error");
    await this.#clock.advance(LEASE_MS / 2); // the leases of the parcels are renewed once
    this.#link.fail(new StoreUnreachableError("the store is away"), "claim", "extend");
    await this.#clock.advance(LEASE_MS);
    this.#count("leases_lost_total", "parcel", HELD);
    for (let n = 1; n <= LEFT_READY; n++) await this.#enqueue("letter", undefined);
    await this.#clock.advance(12_000); // so that the next collection asks for what there is
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stopped = this.#post.stopNow();
    await this.#clock.advance(60_000);
    await stopped;
  }

  #define() {
    const begin = ({ handler }: TaskContext) => this.#count("tasks_started_total", handler as Handler);
    return defineHandlers({
      letter: {
        payload: json<null>(),
        run: async (_, context) => {
          begin(context);
          await this.#work();
        },
      },
      bounce: {
        ...{ payload: json<null>(), maxAttempts: 1 },
        run: async (_, context) => {
          begin(context);
          await this.#work();
          throw new Error("moved away");
        },
      },
      parcel: {
        ...{ payload: json<null>(), timeoutMs: false },
        run: async (_, context) => {
          begin(context);
          await untilAborted(context);
        },
      },
    });
  }

  /** By the clock of this manager. */
  #work(): Promise<void> {
    return new Promise((resolve) => this.#clock.setTimeout(resolve, WORK_MS));
  }

  async #enqueue(handler: Handler, end: End | undefined): Promise<void> {
    const handle = await (this.#post as TaskManager<never>).enqueueDurable(handler as never, null as never);
    this.#followed.follow({ manager: MANAGER, queue: QUEUE, handler }, end, handle);
  }

  #count(name: string, handler: Handler, by = 1): void {
    this.#followed.count(name, { manager: MANAGER, queue: QUEUE, handler }, by);
  }
}
