import type { TimedConclusion } from "../concluder.js";

/** What follows from an attempt of a durable task, as the store is to be told. */
export type DurableEnding =
  | Exclude<TimedConclusion, { readonly next: "leave" }>
  /** It was not run, or not to its end, and that is nobody's fault: it goes back at no cost. */
  | { readonly next: "hand-back"; readonly event: "interrupted" | "handedBack" };
