// A source that is faster than the work: the source waits, and memory does not grow.
import { setTimeout as sleep } from "node:timers/promises";
import { QueueFullError, TaskManager } from "millrace";

const tasks = new TaskManager({ concurrency: 2, capacity: 4 }); // two run, four wait, and there it ends

/** Rows of a database, lines of a file, messages of a broker: whatever can be read one by one. */
async function* readRows(count: number): AsyncGenerator<number> {
  for (let row = 1; row <= count; row++) yield row;
}

const done: number[] = [];
let mostAhead = 0;
for await (const row of readRows(100)) {
  await tasks.enqueueAsync(async () => {
    await sleep(1); // the slow part
    done.push(row);
  });
  mostAhead = Math.max(mostAhead, row - done.length);
}
await tasks.drain();
console.log(`${done.length} rows, and the source was never more than ${mostAhead} ahead of the work`);

// `enqueue` does not wait. It tells you at once that there is no room, and you decide: here, to do without.
let refused = 0;
for (let row = 1; row <= 10; row++) {
  try {
    tasks.enqueue(() => sleep(1));
  } catch (error) {
    if (!(error instanceof QueueFullError)) throw error;
    refused++;
  }
}
console.log(`${refused} of 10 refused, ${tasks.stats().total.refused} counted`);
await tasks.drain();

// Where only the newest matter, let them push out the oldest. Those who wait for these are told.
const prices = new TaskManager({ concurrency: 1, capacity: 3, whenFull: "drop-oldest" });
const shown: number[] = [];
const updates = [1, 2, 3, 4, 5, 6].map((price) => prices.enqueue(() => shown.push(price)));
const outcomes = await Promise.allSettled(updates.map((update) => update.result()));
console.log(
  `shown: ${shown.join(" ")}; dropped: ${outcomes.filter(({ status }) => status === "rejected").length}`,
);

await Promise.all([tasks.stopGraceful(), prices.stopGraceful()]);

// Prints:
// 100 rows, and the source was never more than 6 ahead of the work
// 6 of 10 refused, 6 counted
// shown: 4 5 6; dropped: 3
