// Work that takes a core, in worker threads: the event loop stays free, and all cores have something to do.
import { defineHandlers, json, TaskManager, threadModule } from "millrace";

// For the compiler: the module itself is imported by threads only.
type Primes = typeof import("./primes.js");
const url = new URL("./primes.js", import.meta.url);

const handlers = defineHandlers({
  countPrimes: { payload: json<{ below: number }>(), module: threadModule<Primes>(url) },
  factorize: { payload: json<number>(), module: threadModule<Primes, "factorize">(url, "factorize") },
  report: { payload: json<number[]>(), run: (counts) => `counted ${counts.join(", ")}` }, // needs no thread
});
const tasks = new TaskManager({
  handlers,
  threads: { max: 2 }, // default: as many as the machine can run at once
});

// The event loop goes on meanwhile: this ticks every millisecond.
let ticks = 0;
const ticking = setInterval(() => ticks++, 1);

const large = tasks.enqueueMany([
  ["countPrimes", { below: 5_000_000 }],
  ["countPrimes", { below: 5_000_001 }],
]);
const counts = await Promise.all(large.map((each) => each.result())); // the compiler knows: number[]
clearInterval(ticking);
console.log(await tasks.execute("report", counts));
console.log(ticks > 5 ? "and the event loop went on" : "and the event loop stood still");

const { factors } = await tasks.execute("factorize", 60);
console.log(factors.join(" x "));

// A wrong payload does not compile, and does not reach a thread.
// @ts-expect-error: a number is asked for
await tasks.enqueueAsync("countPrimes", { below: () => 5 }).catch((error) => console.log(error.message));

await tasks.stopGraceful(); // ends the threads too

// Prints:
// counted 348513, 348513
// and the event loop went on
// 2 x 2 x 3 x 5
// The payload for handler "countPrimes" was refused: payload.below: a function cannot be cloned
