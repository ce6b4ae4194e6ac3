import { createRequire } from "node:module";
import { PeerMissingError } from "../../errors.js";

/** What `@opentelemetry/api` exports. */
export type OtelApi = typeof import("@opentelemetry/api");

const require = createRequire(import.meta.url);

/**
 * Loads the OpenTelemetry API, which is an optional peer: only who instruments needs it.
 * @throws {PeerMissingError} where it is missing
 */
export function loadOtelApi(): OtelApi {
  try {
    return require("@opentelemetry/api") as OtelApi;
  } catch (cause) {
    throw new PeerMissingError("millrace/otel", "@opentelemetry/api", { cause });
  }
}
