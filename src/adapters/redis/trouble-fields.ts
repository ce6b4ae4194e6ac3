import type { Redis } from "ioredis";
import type { LogFields } from "../../ports/logger.js";
import { toErrorType } from "../../task/error-type.js";
import { failureCode } from "./redis-failures.js";

/** What a system or a TLS library calls an error, such as `ECONNREFUSED`. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,63}$/;

/**
 * What is logged of trouble with a client: what was met, and where. Of the client's options, only those that
 * say where Redis is: no user, no password.
 */
export function troubleFields(error: unknown, client: Redis): LogFields {
  const code = failureCode(error) ?? systemCode(error);
  const said = code === undefined ? undefined : { code };
  return { errorType: toErrorType(error), ...said, ...addressFields(client) };
}

/** Host and port, or the path of a socket; nothing where something else than these says how to connect. */
export function addressFields({ options }: Redis): LogFields {
  const { Connector, host, path, port, sentinels } = options;
  if (Connector != null || sentinels != null) return {};
  if (typeof path === "string") return { address: path };
  const name = String(host);
  return { address: `${name.includes(":") ? `[${name}]` : name}:${port}` };
}

function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" && SYSTEM_CODE.test(code) ? code : undefined;
}
