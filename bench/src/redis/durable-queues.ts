import BeeQueue from "bee-queue";
import { Queue as BullQueue, Worker as BullWorker } from "bullmq";
import { Redis } from "ioredis";
import { defineHandlers, json, redisBackend, TaskManager } from "../millrace.js";
import { type BenchRedis, emptyRedis, type Persistence } from "./bench-redis.js";

export interface Payload {
  readonly number: number;
  /** So that a payload takes about a hundred bytes. */
  readonly filling: string;
}

export function toPayload(number: number): Payload {
  return { number, filling: "x".repeat(70) };
}

/** What a contestant of the cases of Redis is asked. Each use begins with an empty store. */
export interface DurableQueue {
  enqueue(payload: Payload): Promise<unknown>;
  enqueueMany(payloads: readonly Payload[]): Promise<unknown>;
  /** Runs what there is, and what comes, so many at a time. */
  process(concurrency: number, run: (payload: Payload) => void): Promise<void>;
  close(): Promise<void>;
}

export type OpenQueue = (persistence: Persistence) => Promise<DurableQueue>;

const NAME = "bench";

/** Everything as it is by default: leases, renewal, fencing, results kept for ten minutes. */
export const millrace: OpenQueue = async (persistence) => {
  const { url } = await emptyRedis(persistence);
  let run: (payload: Payload) => void = () => {};
  const contract = { payload: json<Payload>(), queue: NAME };
  const handlers = defineHandlers({ [NAME]: { ...contract, run: async (payload: Payload) => run(payload) } });
  const backend = () => redisBackend({ url });
  const producer = new TaskManager({ handlers, backend: backend(), consume: false, capacity: 100_000 });
  const managers = [producer];
  return {
    enqueue: (payload) => producer.enqueueDurable(NAME, payload),
    enqueueMany: (payloads) =>
      producer.enqueueDurableMany(payloads.map((payload) => [NAME, payload] as const)),
    async process(concurrency, given) {
      run = given;
      managers.push(new TaskManager({ handlers, backend: backend(), concurrency }));
    },
    async close() {
      await Promise.all(managers.map((tasks) => tasks.stopGraceful({ deadlineMs: 5_000 })));
    },
  };
};

/** Completed ones are removed, as its documentation recommends, so that its memory does not grow. */
export const bullmq: OpenQueue = async (persistence) => {
  const { port } = await emptyRedis(persistence);
  const connection = () => new Redis(port, "127.0.0.1", { maxRetriesPerRequest: null });
  const options = { removeOnComplete: true };
  const connections = [connection()];
  const queue = new BullQueue(NAME, { connection: connections[0] as Redis });
  const workers: BullWorker[] = [];
  return {
    enqueue: (payload) => queue.add(NAME, payload, options),
    enqueueMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: NAME, data, opts: options }))),
    async process(concurrency, run) {
      const own = connection();
      connections.push(own);
      workers.push(new BullWorker(NAME, async ({ data }) => run(data), { connection: own, concurrency }));
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
      await queue.close();
      for (const each of connections) each.disconnect();
    },
  };
};

/** Events, which nobody hears here, are off. */
export const beeQueue: OpenQueue = async (persistence) => {
  const { port } = await emptyRedis(persistence);
  const settings = { redis: { port, host: "127.0.0.1" }, removeOnSuccess: true, sendEvents: false };
  const queue = new BeeQueue<Payload>(NAME, { ...settings, isWorker: false, getEvents: false });
  const workers: BeeQueue<Payload>[] = [];
  await queue.ready();
  return {
    enqueue: (payload) => queue.createJob(payload).save(),
    enqueueMany: (payloads) => queue.saveAll(payloads.map((payload) => queue.createJob(payload))),
    async process(concurrency, run) {
      const worker = new BeeQueue<Payload>(NAME, { ...settings, getEvents: false });
      workers.push(worker);
      worker.process(concurrency, async ({ data }) => run(data));
    },
    async close() {
      await Promise.all([...workers, queue].map((each) => each.close(5_000)));
    },
  };
};

/** How many bytes Redis says that it uses. */
export async function usedMemory({ client }: BenchRedis): Promise<number> {
  const told = await client.info("memory");
  return Number(/used_memory:(\d+)/.exec(told)?.[1]);
}
