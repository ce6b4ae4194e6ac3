import type { MessagePort } from "node:worker_threads";
import type { RedisOptions } from "ioredis";
import type { ExtendAnswer } from "../../../ports/backend.js";
import type { LogFields } from "../../../ports/logger.js";
import type { SharedLeases } from "./lease-table.js";

/** Where Redis is, in a form that a thread can be sent. */
export type SentAddress =
  | { readonly url: string }
  | { readonly options: RedisOptions }
  /** The URL of a module that knows. */
  | { readonly module: string };

/** What a thread that renews is started with. */
export interface RenewalStart {
  readonly port: MessagePort;
  readonly address: SentAddress;
  readonly prefix: string;
  readonly commandTimeoutMs: number;
  readonly leaseMs: number;
  readonly maxBlockedMs: number;
  /** In which workers count their turns. */
  readonly pulses: Int32Array | undefined;
  /** Of a `LeaseTable`. */
  readonly leases: SharedLeases;
  readonly startedAt: number;
  /** Of `LifeWords`. */
  readonly life: Int32Array;
}

/** What the store has answered for one lease. */
export type Answered = readonly [id: string, token: number, answer: ExtendAnswer];

export type MessageFromRenewal =
  | { readonly type: "answered"; readonly sentAt: number; readonly leases: readonly Answered[] }
  | { readonly type: "failed"; readonly text: string }
  | { readonly type: "trouble"; readonly fields: LogFields; readonly text: string };
