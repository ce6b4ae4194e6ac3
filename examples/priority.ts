// Who goes first? Lower priority, then higher weight, then first come, first served. Among queues, shares.
import { TaskManager } from "millrace";

const tasks = new TaskManager({
  concurrency: 1, // one at a time, so that the order can be seen
  queues: { orders: { share: 2 }, mail: { share: 1 } },
});
let order: string[] = [];
const work = (name: string) => () => order.push(name);

/** Waits until all is done, and tells in which order it was. */
async function tell(title: string): Promise<void> {
  await tasks.drain();
  console.log(`${title}: ${order.join(", ")}`);
  order = [];
}

// Tasks that are enqueued together are chosen from together: nothing starts before this code awaits.
tasks.enqueue(work("no hurry"), { priority: 10 });
tasks.enqueue(work("first of two")); // priority 0, weight 1
tasks.enqueue(work("second of two"));
tasks.enqueue(work("heavier"), { weight: 5 });
tasks.enqueue(work("urgent"), { priority: -10 });
await tell("priority");

// The order can still change while a task waits.
tasks.enqueue(work("report"), { id: "report" });
tasks.enqueue(work("invoice"));
tasks.enqueue(work("newsletter"), { id: "newsletter" });
await tasks.reprioritize("newsletter", -1);
await tell("reprioritize");

// A queue with twice the share gets two turns for one, as long as both have something to do.
for (const number of [1, 2, 3]) tasks.enqueue(work(`mail ${number}`), { queue: "mail" });
for (const number of [1, 2, 3, 4]) tasks.enqueue(work(`order ${number}`), { queue: "orders" });
await tell("shares");

// A delayed task takes its place when it is due.
tasks.enqueue(work("later"), { delayMs: 20, priority: -10 });
tasks.enqueue(work("now"), { priority: 10 });
await tell("delay");

await tasks.stopGraceful();

// Prints:
// priority: urgent, heavier, first of two, second of two, no hurry
// reprioritize: newsletter, report, invoice
// shares: order 1, mail 1, order 2, order 3, mail 2, order 4, mail 3
// delay: now, later
