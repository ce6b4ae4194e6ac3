import type { RedisOptions } from "ioredis";
import { OWN_OPTION_NAMES } from "../create-client.js";
import type { RenewalAddress } from "../redis-options.js";
import type { SentAddress } from "./messages.js";

/**
 * Where Redis is, in a form that a thread can be sent.
 * @returns undefined for a client, and for options that hold what cannot be copied: to leave that out could
 *   lead elsewhere, or there with less care
 */
export function toSentAddress(address: RenewalAddress): SentAddress | undefined {
  if ("client" in address) return undefined;
  if ("module" in address) return { module: address.module.href };
  if ("url" in address) return { url: address.url };
  const options = Object.entries(address.options).filter(([name]) => !OWN_OPTION_NAMES.has(name));
  try {
    return { options: structuredClone(Object.fromEntries(options)) as RedisOptions };
  } catch {
    return undefined;
  }
}
