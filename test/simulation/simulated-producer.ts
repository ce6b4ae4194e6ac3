import type { Backend, NewTask } from "../../src/ports/backend.js";
import type { Chance } from "./chance.js";
import type { SimulatedProcess } from "./simulated-process.js";
import { HANDLERS } from "./simulated-worker.js";
import type { StoreAudit } from "./store-audit.js";
import type { Timeline } from "./timeline.js";
import type { Verdict } from "./violation.js";

const PAYLOAD = Uint8Array.of(1, 2, 3);
const RETRY_MS = 60;
const CANCELLED = { error: '{"name":"Error","message":"cancelled"}', resultTtlMs: 600_000 };
const KEYS = ["k1", "k2"];
const KEY_TTL_MS = 86_400_000;
const ON_FAILURE = ["hold", "free"] as const;

export interface ProducerParts {
  readonly process: SimulatedProcess;
  readonly backend: Backend;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly audit: StoreAudit;
  readonly verdict: Verdict;
  readonly queues: readonly string[];
  readonly tasks: number;
  /** Within so long it begins all its calls. */
  readonly spanMs: number;
  readonly maxDeliveries: number;
}

/** A process that enqueues tasks, makes calls again that have failed, and cancels some of its tasks. */
export class SimulatedProducer {
  readonly process: SimulatedProcess;
  readonly #parts: ProducerParts;
  #calls = 0;
  #open = 0;

  constructor(parts: ProducerParts) {
    this.#parts = parts;
    this.process = parts.process;
  }

  /** Whether all its calls have been made and answered, or cannot be any more. */
  get done(): boolean {
    return this.#open === 0 || !this.process.alive;
  }

  start(): void {
    const { chance, process, spanMs, tasks, timeline } = this.#parts;
    for (let left = tasks; left > 0; ) {
      const count = Math.min(left, 1 + chance.below(3));
      left -= count;
      const batch = Array.from({ length: count }, (_, index) => this.#draw(left + index));
      this.#open++;
      const requestId = `${process.name}-${++this.#calls}`;
      timeline.after(chance.between(0, spanMs), () => process.enter(() => void this.#send(requestId, batch)));
    }
  }

  #draw(number: number): NewTask {
    const { chance, maxDeliveries, process, queues } = this.#parts;
    const delayed = chance.happens(0.2);
    const onDuplicate = chance.pick(["keep", "replace", "reject"] as const);
    return {
      id: `${chance.pick(queues)}:${process.name}-${number}`,
      handler: chance.happens(0.2) ? HANDLERS[1] : HANDLERS[0],
      payload: PAYLOAD,
      envelope: "",
      priority: chance.below(3),
      weight: 1,
      cost: 1 + chance.below(2),
      maxDeliveries,
      delayMs: delayed ? chance.below(500) : 0,
      runAt: undefined,
      idempotency: chance.happens(0.15)
        ? { key: chance.pick(KEYS), ttlMs: KEY_TTL_MS, onDuplicate, onFailure: chance.pick(ON_FAILURE) }
        : undefined,
    };
  }

  async #send(requestId: string, batch: readonly NewTask[]): Promise<void> {
    const { backend, chance } = this.#parts;
    for (;;) {
      try {
        const answers = await backend.enqueue(requestId, batch);
        for (const [index, { id }] of batch.entries())
          if (answers[index]?.outcome === "kept") this.#acknowledge(id);
        break;
      } catch {
        if (chance.happens(0.1)) break; // it gives up, and does not know
        await this.#wait(RETRY_MS);
      }
    }
    if (chance.happens(0.25)) await this.#cancel(chance.pick(batch).id);
    this.#open--;
  }

  #acknowledge(id: string): void {
    const { audit, verdict } = this.#parts;
    const task = audit.tasks.get(id);
    if (task === undefined) verdict.fail("I1", `${id} was acknowledged, and the store never had it`);
    else task.acknowledged = true;
  }

  async #cancel(id: string): Promise<void> {
    const { backend, chance } = this.#parts;
    await this.#wait(chance.between(0, 300));
    for (;;) {
      try {
        await backend.cancel([{ id, ...CANCELLED }]);
        return;
      } catch {
        if (chance.happens(0.1)) return;
        await this.#wait(RETRY_MS);
      }
    }
  }

  #wait(ms: number): Promise<void> {
    const { process, timeline } = this.#parts;
    return new Promise((resolve) => timeline.after(ms, () => process.enter(resolve, true)));
  }
}
