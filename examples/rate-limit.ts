// How fast may tasks start? One token bucket for all, and one more for whoever needs it.
import { rateLimited, TaskManager } from "millrace";

const tasks = new TaskManager({
  tasksPerSecond: 100,
  burst: 5, // after a rest, five start at once; then one each 10 ms
  queues: { partner: { rateLimit: { tasksPerSecond: 20 } } }, // burst 1: one each 50 ms
});

/** Does something and tells how long it took at least: a machine under load takes longer, and never less. */
async function measure(title: string, leastMs: number, enqueue: () => void): Promise<void> {
  const startedAt = performance.now();
  enqueue();
  await tasks.drain();
  const tookMs = performance.now() - startedAt;
  console.log(`${title}: ${tookMs > leastMs - 1 ? `at least ${leastMs} ms` : `only ${tookMs} ms`}`);
}

await measure("15 starts, of which 5 at once", 100, () => {
  for (let count = 0; count < 15; count++) tasks.enqueue(() => "quick");
});

await measure("3 calls to the partner", 100, () => {
  for (let count = 0; count < 3; count++) tasks.enqueue(() => "a call", { queue: "partner" });
});

// A start may cost more than one permit. What costs more than the burst is refused at once.
await measure("4 large ones", 150, () => {
  for (let count = 0; count < 4; count++) tasks.enqueue(() => "large", { cost: 5 });
});
try {
  tasks.enqueue(() => "too large", { cost: 6 });
} catch (error) {
  console.log(String(error));
}

// The other side has a limit too, and says so: the task tries again then, and no attempt is used up.
let answers = 0;
const call = tasks.enqueue(({ attempt }) => {
  if (++answers === 1) throw rateLimited({ retryAfterMs: 30 });
  return `answered at attempt ${attempt}, call ${answers}`;
});
console.log(await call.result());

// Limits can be changed while tasks run.
tasks.setRate({ tasksPerSecond: Number.POSITIVE_INFINITY });
for (let count = 0; count < 10_000; count++) tasks.enqueue(() => "quick");
await tasks.drain();
console.log(`${tasks.stats().total.completed} completed`);
await tasks.stopGraceful();

// Prints:
// 15 starts, of which 5 at once: at least 100 ms
// 3 calls to the partner: at least 100 ms
// 4 large ones: at least 150 ms
// OptionError: Expected `cost` to be at most 5, the burst of its rate limit, found `6` (number)
// answered at attempt 1, call 2
// 10023 completed
