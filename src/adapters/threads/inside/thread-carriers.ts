import {
  type ThreadCarrier,
  type ThreadCarrierKeeper,
  threadCarriers,
} from "../../../ports/thread-carrier.js";
import type { TaskContext } from "../../../task/task-context.js";

/** Those of this thread; undefined while there are none. */
export function findCarriers(): readonly ThreadCarrier[] | undefined {
  return (globalThis as ThreadCarrierKeeper)[threadCarriers];
}

/** One call of a handler inside carriers. */
export interface CarriedCall<R> {
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly context: TaskContext;
  /** Calls the handler. */
  readonly call: () => R;
  /** Told of errors of carriers. */
  readonly report: (error: unknown) => void;
}

/**
 * Calls a handler inside all of them. It is called once, and what it gives or throws stands, whatever they
 * do: they only observe, and one that breaks leaves the others.
 */
export function carry<R>(
  carriers: readonly ThreadCarrier[],
  { headers, context, call, report }: CarriedCall<R>,
): R {
  let ended: Outcome<R> | undefined;
  const once = () => {
    ended ??= outcomeOf(call);
    if (ended.returned) return ended.value;
    throw ended.thrown;
  };
  const enclose = (inner: () => R, carrier: ThreadCarrier) => () => {
    let came = false;
    const come = () => {
      if (came) return once();
      came = true;
      return inner();
    };
    try {
      watch(carrier.run(headers, context, come), ended, report);
    } catch (error) {
      if (!isThrown(error, ended)) report(error);
    }
    return come(); // also where the carrier did not
  };
  return carriers.reduceRight<() => R>(enclose, once)();
}

type Outcome<R> =
  | { readonly returned: true; readonly value: R }
  | { readonly returned: false; readonly thrown: unknown };

function outcomeOf<R>(call: () => R): Outcome<R> {
  try {
    return { returned: true, value: call() };
  } catch (thrown) {
    return { returned: false, thrown };
  }
}

/** A promise that a carrier gives may be one of its own, which nobody else would handle. */
function watch(given: unknown, ended: Outcome<unknown> | undefined, report: (error: unknown) => void): void {
  if (!(given instanceof Promise)) return;
  if (ended?.returned === true && ended.value === given) return;
  given.catch(async (error: unknown) => {
    if (!(await isThrownLater(error, ended))) report(error);
  });
}

/** Whether an error is the handler's own, which comes through its carriers. */
function isThrown(error: unknown, ended: Outcome<unknown> | undefined): boolean {
  return ended?.returned === false && ended.thrown === error;
}

async function isThrownLater(error: unknown, ended: Outcome<unknown> | undefined): Promise<boolean> {
  if (ended?.returned !== true) return isThrown(error, ended);
  try {
    await ended.value;
    return false;
  } catch (thrown) {
    return thrown === error;
  }
}
