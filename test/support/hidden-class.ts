import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--allow-natives-syntax");
const haveSameMap = runInNewContext("(a, b) => %HaveSameMap(a, b)") as (a: object, b: object) => boolean;

/**
 * How many hidden classes of V8 these objects have. Where each has its own, as when a literal begins with a
 * spread and goes on with other members, they take many times as long to make and to read, and the classes
 * are left behind in the old generation.
 */
export function countHiddenClasses(objects: readonly object[]): number {
  const classes: object[] = [];
  for (const one of objects) if (!classes.some((other) => haveSameMap(one, other))) classes.push(one);
  return classes.length;
}
