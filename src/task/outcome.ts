/** How one attempt of a handler ended: it returned, or it threw (steering included). */
export type Outcome =
  | { readonly returned: true; readonly value: unknown }
  | { readonly returned: false; readonly thrown: unknown };

/** A value now or later. */
export type Eventually<T> = T | Promise<T>;
