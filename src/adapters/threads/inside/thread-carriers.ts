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

/**
 * Calls a handler inside all of them. It is called once, and what it gives or throws stands, whatever they
 * do: they only observe.
 */
export function carry<R>(
  carriers: readonly ThreadCarrier[],
  headers: Readonly<Record<string, string>> | undefined,
  context: TaskContext,
  call: () => R,
): R {
  let outcome: (() => R) | undefined;
  const once = () => {
    outcome ??= outcomeOf(call);
    return outcome();
  };
  try {
    const nested = carriers.reduceRight<() => R>(
      (inner, carrier) => () => carrier.run(headers, context, inner),
      once,
    );
    const given: unknown = nested();
    if (given instanceof Promise) given.catch(() => {}); // it may be one of a carrier's own
  } catch {
    // The handler's own error is thrown below; that of a carrier is no reason for its task to fail.
  }
  return once(); // also where a carrier did not come to it
}

/** Calls back now, and gives what gives or throws the same again. */
function outcomeOf<R>(call: () => R): () => R {
  try {
    const value = call();
    return () => value;
  } catch (thrown) {
    return () => {
      throw thrown;
    };
  }
}
