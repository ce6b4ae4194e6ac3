// What happens when a handler fails? It is tried again after a backoff, or does what the handler says.
import { cancelTask, exponential, fixed, rateLimited, reschedule, skipRetry, TaskManager } from "millrace";

const tasks = new TaskManager({
  maxAttempts: 3, // the first one included
  backoff: exponential({ delayMs: 10, factor: 2, maxDelayMs: 1_000, jitter: "none" }),
});

/** Tells how a task ended, and why. */
async function tell(title: string, handle: { readonly state: string; result(): Promise<unknown> }) {
  const outcome = await handle.result().catch((error: Error) => `${error.name}: ${error.message}`);
  console.log(`${title} | ${handle.state} | ${outcome}`);
}

const failTimes = (times: number) => (context: { readonly attempt: number }) => {
  if (context.attempt <= times) throw new Error(`attempt ${context.attempt} failed`);
  return `worked at attempt ${context.attempt}`;
};
await tell("two failures", tasks.enqueue(failTimes(2)));
await tell("three failures", tasks.enqueue(failTimes(3)));
await tell("more patience", tasks.enqueue(failTimes(4), { maxAttempts: 5, backoff: fixed({ delayMs: 5 }) }));

// A handler that takes too long is told by its signal. That is a failed attempt too.
const never = () => new Promise<never>(() => {});
const impatient = { id: "slow", timeoutMs: 10, killAfterMs: 10, maxAttempts: 1 };
await tell("a timeout", tasks.enqueue(never, impatient));

// A handler steers by what it throws.
const steer = (...turns: (() => unknown)[]) => {
  return ({ attempt }: { readonly attempt: number }) => {
    const thrown = turns.shift()?.();
    if (thrown !== undefined) throw thrown;
    return `done at attempt ${attempt}`; // steering uses no attempt
  };
};
await tell("run me later", tasks.enqueue(steer(() => reschedule({ delayMs: 10 }))));
await tell("too many requests", tasks.enqueue(steer(() => rateLimited({ retryAfterMs: 10 }))));
await tell("give up now", tasks.enqueue(steer(() => skipRetry(new Error("no such customer")))));
await tell(
  "not needed",
  tasks.enqueue(
    steer(() => cancelTask("the order is gone")),
    { id: "order" },
  ),
);

const { started, retried, rescheduled, timedOut } = tasks.stats().total;
console.log(`${started} starts, ${retried} retries, ${rescheduled} reschedules, ${timedOut} timeout`);
await tasks.stopGraceful();

// Prints:
// two failures | completed | worked at attempt 3
// three failures | failed | Error: attempt 3 failed
// more patience | completed | worked at attempt 5
// a timeout | failed | TaskTimeoutError: Task slow ran longer than its timeoutMs of 10
// run me later | completed | done at attempt 1
// too many requests | completed | done at attempt 1
// give up now | failed | Error: no such customer
// not needed | cancelled | TaskCancelledError: Task order was cancelled
// 18 starts, 8 retries, 2 reschedules, 1 timeout
