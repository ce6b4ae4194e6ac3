import type { Redis, RedisOptions } from "ioredis";
import { loadIoredis } from "./load-ioredis.js";
import type { RedisAddress } from "./redis-options.js";

/** Replies are in the shapes that ioredis has always given them. */
type OwnOptions = RedisOptions & { readonly replyMapping: "legacy" };

/** Makes a client that is not connected yet, and does not reconnect. `name` says in Redis what it is for. */
export type CreateClient = (name: string, commandTimeoutMs: number) => Redis;

/**
 * What the promises of this backend rest on. Nothing is sent again by itself, since a script whose answer was
 * lost is made again by whoever asked, with its request id. With 0 for `maxRetriesPerRequest`, what was sent
 * is rejected at once when the connection is lost; without a queue, what cannot be sent is too.
 */
function ownOptions(name: string, commandTimeoutMs: number): OwnOptions {
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
    retryStrategy: null,
    reconnectOnError: null,
  };
}

/** What of the options of a user counts for nothing. */
export const OWN_OPTION_NAMES: ReadonlySet<string> = new Set(Object.keys(ownOptions("", 0)));

/** @throws {PeerMissingError} where ioredis is missing */
export function clientFactory(address: RedisAddress): CreateClient {
  if ("client" in address) {
    const { client } = address;
    return (name, timeoutMs) => client.duplicate(ownOptions(name, timeoutMs));
  }
  const { Redis: Client } = loadIoredis();
  if ("url" in address) return (name, timeoutMs) => new Client(address.url, ownOptions(name, timeoutMs));
  return (name, timeoutMs) => new Client({ ...address.options, ...ownOptions(name, timeoutMs) });
}
