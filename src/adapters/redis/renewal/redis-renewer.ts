import type { BackendRenewer, LeaseRenewal, RenewalOptions } from "../../../ports/lease-renewal.js";
import type { RedisLog } from "../redis-log.js";
import type { RedisSettings } from "../redis-options.js";
import { RedisRenewal } from "./redis-renewal.js";
import { hasRenewalEntry } from "./renewal-thread.js";
import { toSentAddress } from "./sent-address.js";

/** Opens renewals in threads, where these can find Redis; else it says once why leases are renewed here. */
export class RedisRenewer implements BackendRenewer {
  readonly #settings: RedisSettings;
  readonly #log: RedisLog;
  readonly #open = new Set<RedisRenewal>();

  constructor(settings: RedisSettings, log: RedisLog) {
    this.#settings = settings;
    this.#log = log;
  }

  open(options: RenewalOptions): LeaseRenewal | undefined {
    const { commandTimeoutMs, prefix, renewal: address } = this.#settings;
    if (address === false) return undefined;
    const sent = toSentAddress(address);
    if (sent === undefined) {
      const why = "client" in address ? "a client" : "what these `options` hold";
      return this.#decline(`${why} cannot be sent to a thread: give \`renewal\` to the Redis backend`);
    }
    if (!hasRenewalEntry()) return this.#decline("the file of the thread is not beside this one");
    const renewal = new RedisRenewal({
      ...{ ...options, commandTimeoutMs, prefix, address: sent, log: this.#log },
      onClosed: () => this.#open.delete(renewal),
    });
    this.#open.add(renewal);
    return renewal;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((renewal) => renewal.close()));
  }

  #decline(reason: string): undefined {
    this.#log.finding("warn", "leases are renewed on the event loop, and lost where it is blocked", {
      reason,
    });
  }
}
