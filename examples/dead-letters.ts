// What has failed for good is kept as a dead letter, and can be put back to work when the cause is mended.
import { defineHandlers, fixed, json, memoryBackend, skipRetry, TaskManager } from "millrace";

const letters: string[] = [];
let isServiceUp = false;

const handlers = defineHandlers({
  invoice: {
    payload: json<{ order: number }>(),
    run: async ({ order }, { attempt }) => {
      if (order < 0) throw skipRetry(new RangeError("no such order"));
      if (!isServiceUp) throw new Error("the printer is on fire");
      return `invoice of order ${order}, at attempt ${attempt}`;
    },
    queue: "invoices",
    backoff: fixed({ delayMs: 5 }), // maxAttempts of durable tasks is 3
  },
  ping: { payload: json<null>(), run: () => Promise.reject(new Error("gone")), deadLetter: false },
});

const tasks = new TaskManager({
  handlers,
  backend: memoryBackend({ deadLetters: { maxEntries: 1_000, ttlMs: 86_400_000 } }),
  hooks: {
    onDeadLettered: ({ id, reason, attempts }) => letters.push(`${id}: ${reason}, attempt ${attempts}`),
  },
});

const [first, wrong, ping] = await tasks.enqueueDurableMany([
  ["invoice", { order: 1 }, { id: "one" }],
  ["invoice", { order: -1 }, { id: "wrong", delayMs: 50 }],
  ["ping", null, { maxAttempts: 1 }],
]);
for (const handle of [first, wrong, ping]) {
  await handle.result().catch((error) => console.log("rejected:", error.message));
}

isServiceUp = true;
const { replayed } = await tasks.replayDeadLetters({ ids: [first.id] }); // or a `filter`
console.log(replayed);
console.log(await first.result()); // attempts begin anew
await tasks.stopGraceful();
for (const letter of letters.sort()) console.log(letter);

// Prints:
// rejected: the printer is on fire
// rejected: no such order
// rejected: gone
// [ 'invoices:one' ]
// invoice of order 1, at attempt 1
// invoices:one: error, attempt 3
// invoices:wrong: error, attempt 1
