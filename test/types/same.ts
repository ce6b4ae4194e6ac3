/** True where two types are one, and not merely assignable to each other; `any` is only itself. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only where two types are one. */
export function same<A, B>(..._differ: Same<A, B> extends true ? [] : [differ: never]): void {}
