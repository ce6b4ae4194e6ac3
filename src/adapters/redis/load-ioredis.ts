import { createRequire } from "node:module";
import { PeerMissingError } from "../../errors.js";

/** What `ioredis` exports. */
export type Ioredis = typeof import("ioredis");

const require = createRequire(import.meta.url);

/**
 * Loads ioredis, which is an optional peer: only who keeps tasks in Redis needs it.
 * @throws {PeerMissingError} where it is missing
 */
export function loadIoredis(): Ioredis {
  try {
    return require("ioredis") as Ioredis;
  } catch (cause) {
    throw new PeerMissingError("millrace/redis", "ioredis", { cause });
  }
}
