import { assert } from "../../errors.js";

/** @throws {InvariantError} when a key is NaN, which comes neither before nor after another */
export function assertOrdered(primary: number, secondary: number): void {
  assert(!Number.isNaN(primary) && !Number.isNaN(secondary), "a key of a heap is a number, not NaN");
}

/** As much as fits. */
export function copyInto<A extends Float64Array | Int32Array>(to: A, from: A): A {
  to.set(from.length <= to.length ? from : from.subarray(0, to.length));
  return to;
}
