/**
 * What the conformance suite runs: a module of its own, since an executor may have to load it elsewhere. Each
 * handler that goes on for a while reports "begun" first.
 */
import { setTimeout as delay } from "node:timers/promises";
import { MillraceError } from "../../errors.js";
import type { EnqueuedTask, TaskContext } from "../../task/task-context.js";
import { kept, thrownThings } from "./thrown-things.js";

const TURN_MS = 2;

export function giveBack(payload: unknown): unknown {
  return payload;
}

export async function giveBackLater(payload: unknown): Promise<unknown> {
  await delay(TURN_MS);
  return payload;
}

/** A stranger's promise: it may answer twice, refuse, or not even let itself be looked at. */
export function giveThenable(kind: "resolves twice" | "rejects" | "throws" | "hides"): unknown {
  const thenable = {
    then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
      if (kind === "throws") throw new Error("thrown by then");
      if (kind === "rejects") reject(new Error("rejected by then"));
      resolve("from then");
      reject(new Error("too late"));
    },
  };
  if (kind !== "hides") return thenable;
  return Object.defineProperty({}, "then", {
    get() {
      throw new Error("hidden then");
    },
  });
}

export function giveKept(): unknown {
  return kept.value;
}

export function throwKept(): never {
  throw kept.error;
}

export function throwThing(thing: string): never {
  throw thrownThings[thing]?.make();
}

export async function throwThingLater(thing: string): Promise<never> {
  await delay(TURN_MS);
  throw thrownThings[thing]?.make();
}

/** What cannot be copied. */
export function giveFunction(): unknown {
  return { values: [1, () => {}] };
}

export async function steer(kind: string): Promise<unknown> {
  // Only here: whoever runs the other handlers elsewhere need not load all of the package for this.
  const { cancelTask, rateLimited, reschedule, skipRetry } = await import("../../index.js");
  switch (kind) {
    case "reschedule":
      throw reschedule({ delayMs: 1_234 });
    case "skip-retry":
      throw skipRetry(new RangeError("why not again"));
    case "cancel-task":
      throw cancelTask("why not at all");
    case "rate-limited":
      throw rateLimited({ retryAfterMs: 4_321, scope: "all" });
    case "returned instead of thrown":
      return skipRetry("inside");
    default:
      throw new Error("wrapped", { cause: skipRetry("inside") });
  }
}

export function tellContext(_payload: unknown, context: TaskContext): unknown {
  const { id, handler, name, queue, priority, attempt, maxAttempts, metadata, correlationId } = context;
  const { locals } = context;
  return {
    ...{ id, handler, name, queue, priority, attempt, maxAttempts, correlationId },
    metadata: { ...metadata },
    locals: { ...locals },
    sameLocals: context.locals === locals,
    bareLocals: Object.getPrototypeOf(locals) === null,
  };
}

export async function report(values: readonly unknown[], { progress }: TaskContext): Promise<string> {
  for (const value of values) {
    progress(value);
    await delay(TURN_MS);
  }
  return "reported";
}

export function reportFunction(_payload: unknown, { progress }: TaskContext): string {
  progress(() => {});
  return "reported";
}

export async function enqueueOne(payload: unknown, { enqueue }: TaskContext): Promise<EnqueuedTask> {
  return await enqueue("next", payload, { priority: 3 });
}

export async function enqueueRefused(payload: unknown, { enqueue }: TaskContext): Promise<unknown> {
  try {
    return await enqueue("next", payload);
  } catch (error) {
    return tellError(error);
  }
}

export async function enqueueAndThrow(payload: unknown, { enqueue }: TaskContext): Promise<unknown> {
  return await enqueue("next", payload);
}

/** Ends when it is told to, and tells why; "not aborted" where nothing has told it for `forMs`. */
export async function awaitAbort(forMs: number, { signal, progress }: TaskContext): Promise<unknown> {
  progress("begun");
  if (!signal.aborted) {
    const timer = new AbortController();
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    await Promise.race([aborted, delay(forMs, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  }
  return signal.aborted ? tellError(signal.reason) : "not aborted";
}

/** Never lets its event loop turn: nothing but its own look at the signal tells it. */
export function spinUntilAborted(forMs: number, { signal, progress }: TaskContext): unknown {
  progress("begun");
  const until = performance.now() + forMs;
  while (!signal.aborted && performance.now() < until) {}
  return signal.aborted ? tellError(signal.reason) : "not aborted";
}

export function spinUntilThrown(forMs: number, { signal, progress }: TaskContext): string {
  progress("begun");
  const until = performance.now() + forMs;
  while (performance.now() < until) signal.throwIfAborted();
  return "not aborted";
}

export async function awaitStop(
  forMs: number,
  { stopping, signal, progress }: TaskContext,
): Promise<unknown> {
  progress("begun");
  for (const until = performance.now() + forMs; !stopping.aborted && performance.now() < until; )
    await delay(TURN_MS);
  return stopping.aborted ? { ...tellError(stopping.reason), aborted: signal.aborted } : "not stopping";
}

/** Pays no heed to its signal. */
export async function goOn(forMs: number, { progress }: TaskContext): Promise<string> {
  progress("begun");
  await delay(forMs);
  return "gone on";
}

/** Reports again and again. */
export async function tick(forMs: number, { progress }: TaskContext): Promise<string> {
  for (let count = 1, until = performance.now() + forMs; performance.now() < until; count++) {
    progress(count === 1 ? "begun" : count);
    await delay(TURN_MS);
  }
  return "ticked";
}

export function spinFor(forMs: number): number {
  const startedAt = performance.now();
  while (performance.now() - startedAt < forMs) {}
  return performance.now() - startedAt;
}

/** Goes the way that its payload says: so that what dies and what does not are tasks of one handler. */
export function goAway(way: string, context: TaskContext): unknown {
  switch (way) {
    case "returns":
      return "returned";
    case "throws outside of its promise":
      setTimeout(() => {
        throw new Error("thrown outside");
      }, 1);
      break;
    case "leaves a rejection that nobody handles":
      void Promise.reject(new Error("rejected outside"));
      break;
    case "calls process.exit":
      process.exit(7);
      break;
    case "spins for ever":
      context.progress("begun");
      for (;;) {}
    case "waits for ever":
      context.progress("begun");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  context.progress("begun");
  return new Promise(() => {});
}

/** Returns at once, and leaves something behind that throws. */
export function leaveFault(payload: unknown): unknown {
  setTimeout(() => {
    throw new Error("left behind");
  }, 1);
  return payload;
}

export function sumBytes(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum + byte, 0);
}

/** What can be told of an error that has come in, wherever this is. */
function tellError(error: unknown): { readonly [key: string]: unknown } {
  if (!(error instanceof Error)) return { thrown: error };
  const { name, message, cause } = error;
  return { ours: error instanceof MillraceError, name, message, code: Reflect.get(error, "code"), cause };
}
