import type { Redis, RedisOptions } from "ioredis";
import { loadIoredis } from "./load-ioredis.js";
import type { RedisAddress } from "./redis-options.js";

/** In milliseconds; each attempt to reconnect waits twice as long as the one before, and a random part less. */
const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 1_000;

/** How long to wait before an attempt to reconnect, the first being 1. */
export function reconnectDelayMs(attempt: number): number {
  const longest = Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt - 1, 10), MAX_DELAY_MS);
  return longest * (0.5 + Math.random() / 2);
}

/** Replies are in the shapes that ioredis has always given them. */
type OwnOptions = RedisOptions & { readonly replyMapping: "legacy" };

/** What a client is for, as Redis shows it; and whether it comes back by itself where it loses its connection. */
export interface ClientPurpose {
  readonly name: string;
  readonly reconnects: boolean;
}

/** Makes a client that is not connected yet. */
export type CreateClient = (purpose: ClientPurpose, commandTimeoutMs: number) => Redis;

/**
 * What the promises of this backend rest on. Nothing is sent again by itself, since a script whose answer was
 * lost is made again by whoever asked, with its request id. With 0 for `maxRetriesPerRequest`, what was sent
 * is rejected at once when the connection is lost; without a queue, what cannot be sent is too.
 */
function ownOptions({ name, reconnects }: ClientPurpose, commandTimeoutMs: number): OwnOptions {
  return {
    lazyConnect: true,
    connectionName: name,
    disableClientInfo: true,
    keyPrefix: "",
    protocol: 2,
    replyMapping: "legacy",
    enableAutoPipelining: false,
    enableOfflineQueue: false,
    enableReadyCheck: true,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    commandTimeout: undefined,
    socketTimeout: undefined,
    connectTimeout: commandTimeoutMs,
    retryStrategy: reconnects ? reconnectDelayMs : () => null,
    reconnectOnError: null,
  };
}

/** @throws {PeerMissingError} where ioredis is missing */
export function clientFactory(address: RedisAddress): CreateClient {
  if ("client" in address) {
    const { client } = address;
    return (purpose, timeoutMs) => client.duplicate(ownOptions(purpose, timeoutMs));
  }
  const { Redis: Client } = loadIoredis();
  if ("url" in address)
    return (purpose, timeoutMs) => new Client(address.url, ownOptions(purpose, timeoutMs));
  return (purpose, timeoutMs) => new Client({ ...address.options, ...ownOptions(purpose, timeoutMs) });
}
