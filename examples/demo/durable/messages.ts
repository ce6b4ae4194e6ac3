import type { StoreAddress } from "./redis.ts";

/** What a worker process is to do, and where. It comes as a message: what is typed, other users can see. */
export interface WorkerSettings {
  readonly address: StoreAddress;
  /** Files begun per second. */
  readonly rate: number;
  /** Files worked on at once. */
  readonly concurrency: number;
  readonly inline: boolean;
}

export type ToWorker =
  | { readonly kind: "begin"; readonly settings: WorkerSettings }
  | { readonly kind: "stop"; readonly deadlineMs: number };

export type FromWorker =
  | { readonly kind: "ready" }
  /** It cannot begin: what the library says against its settings. */
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "begun"; readonly id: string }
  /** An attempt is over: the task has ended, will be tried again, or goes on elsewhere. */
  | { readonly kind: "over"; readonly id: string; readonly how: "completed" | "retried" | "other" };
