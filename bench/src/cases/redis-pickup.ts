import type { BenchCase, Contestant } from "../bench-case.js";
import { quantile } from "../quantile.js";
import { bullmq, millrace, type OpenQueue, toPayload } from "../redis/durable-queues.js";

const TASKS = 1_000;

/** From the call that hands a task over to the start of its handler, in a worker that has nothing to do. */
async function pickupMs(open: OpenQueue, fraction: number): Promise<number> {
  const queue = await open("off");
  let started: () => void = () => {};
  await queue.process(1, () => started());
  const durations: number[] = [];
  for (let index = 0; index < TASKS; index += 1) {
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const at = performance.now();
    void queue.enqueue(toPayload(index));
    await running;
    durations.push(performance.now() - at);
  }
  await queue.close();
  return quantile(
    durations.sort((a, b) => a - b),
    fraction,
  );
}

function contestant(name: string, open: OpenQueue): readonly Contestant[] {
  return [
    { name: `${name}@p50`, run: () => pickupMs(open, 0.5) },
    { name: `${name}@p99`, run: () => pickupMs(open, 0.99) },
  ];
}

export const redisPickup: BenchCase = {
  name: "redis-pickup",
  what: "from the call to the start of the handler, 1,000 tasks one at a time, an idle worker in the same process",
  unit: "ms",
  better: "lower",
  rounds: 5,
  contestants: [
    ...contestant("millrace", millrace),
    ...contestant("bullmq", bullmq),
  ] as unknown as BenchCase["contestants"],
  goals: [
    { of: "millrace@p50", floor: 3 },
    { of: "millrace@p99", floor: 20 },
    { of: "millrace@p50", to: "bullmq@p50", aim: 1 },
    { of: "millrace@p99", to: "bullmq@p99", aim: 1 },
  ],
};
