import { createRequire } from "node:module";

/** What `@opentelemetry/api` exports. */
export type OtelApi = typeof import("@opentelemetry/api");

const require = createRequire(import.meta.url);

/**
 * Loads the OpenTelemetry API, which is an optional peer: only who instruments needs it.
 * @throws {Error} with the command that installs it, where it is missing
 */
export function loadOtelApi(): OtelApi {
  try {
    return require("@opentelemetry/api") as OtelApi;
  } catch (cause) {
    const message = "millrace/otel needs @opentelemetry/api: npm install @opentelemetry/api";
    throw new Error(message, { cause });
  }
}
