import type { AsyncContextCarrier } from "../../ports/context-carrier.js";

/**
 * Calls back in the async context in which the manager was made: what is kept would else keep that of the
 * call which happened to need it first.
 */
export function atRoot<R>(carrier: Pick<AsyncContextCarrier, "enter">, callback: () => R): R {
  const given: { value?: R } = {};
  const call = () => {
    given.value = callback();
  };
  carrier.enter(undefined, call, undefined);
  return given.value as R;
}
