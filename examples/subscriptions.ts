// Who hears of results? Every subscriber, at its own pace; what it does not read in time goes by its rule.
import { setTimeout as sleep } from "node:timers/promises";
import { type Subscription, TaskManager } from "millrace";

const tasks = new TaskManager({ concurrency: 1, retention: { values: true } });

/** Reads to the end, and tells what came and what did not. */
async function tell(results: Subscription): Promise<void> {
  const values: unknown[] = [];
  for await (const { value } of results) values.push(value);
  const { name, published, delivered, dropped } = results;
  console.log(`${name}: ${values.join(" ")} (${delivered} of ${published}, ${dropped} dropped)`);
}

// Nobody reads these two before all is done. Their tasks go on, and each drops what it has no room for.
const firstFew = tasks.subscribe({ name: "drop-newest", capacity: 3, overflow: "drop-newest" });
const lastFew = tasks.subscribe({ name: "drop-oldest", capacity: 3, overflow: "drop-oldest" });
const even = tasks.subscribe({ name: "even", filter: ({ value }) => Number(value) % 2 === 0 });
for (let number = 1; number <= 8; number++) tasks.enqueue(() => number);
await tasks.drain();
for (const results of [firstFew, lastFew, even]) {
  results.close(); // no more for this one: what is buffered can still be read, and then the loop ends
  await tell(results);
}

// One that blocks loses nothing: while its buffer is full, no task starts. A slow reader slows the work down.
const every = tasks.subscribe({ name: "block", capacity: 1, overflow: "block" });
for (let number = 1; number <= 8; number++) tasks.enqueue(() => number);
await sleep(20);
console.log(`before anything was read: ${tasks.stats().total.completed - 8} completed`);
const reader = tell(every);
await tasks.drain();
every.close();
await reader;

// Who comes late can begin with the last results that are kept.
const late = tasks.subscribe({ name: "replay", replay: 2 });
tasks.enqueue(() => "a new one");
tasks.enqueue(() => {
  throw new Error("a failure is a result too");
});
for await (const { state, value, error } of late) {
  console.log(state, value ?? error?.message);
  if (state === "failed") break; // leaving the loop closes the subscription
}
await tasks.stopGraceful();

// Prints:
// drop-newest: 1 2 3 (3 of 8, 5 dropped)
// drop-oldest: 6 7 8 (3 of 8, 5 dropped)
// even: 2 4 6 8 (4 of 4, 0 dropped)
// before anything was read: 1 completed
// block: 1 2 3 4 5 6 7 8 (8 of 8, 0 dropped)
// completed 7
// completed 8
// completed a new one
// failed a failure is a result too
