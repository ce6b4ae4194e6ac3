import type { Redis } from "ioredis";
import type { BackendLog, LogFields, Logger, LogLevel } from "../../ports/logger.js";
import { toErrorType } from "../../task/error-type.js";
import { failureCode } from "./redis-failures.js";

/** At most one line in so long tells of trouble that comes again and again. */
const EVERY_MS = 1_000;

/** What a system or a TLS library calls an error, such as `ECONNREFUSED`. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{1,63}$/;

/** Says what an operator has to know. What the logger does with it changes nothing here. */
export class RedisLog implements BackendLog {
  #logger: Logger | undefined;
  readonly #found = new Set<string>();
  #saidAt = Number.NEGATIVE_INFINITY;
  #unsaid = 0;

  constructor(logger: Logger | undefined) {
    this.#logger = logger;
  }

  sayTo(logger: Logger): void {
    this.#logger ??= logger;
  }

  /** Trouble that passes. Of an error, no more is said than its type, its code, and where it was met. */
  trouble(text: string, fields: LogFields): void {
    const now = performance.now();
    if (now - this.#saidAt < EVERY_MS) {
      this.#unsaid++;
      return;
    }
    const unsaid = this.#unsaid === 0 ? undefined : { linesLeftOut: this.#unsaid };
    this.#saidAt = now;
    this.#unsaid = 0;
    this.#write("warn", text, { ...fields, ...unsaid });
  }

  /** Something about the server that stays as it is until somebody changes it: said once. */
  finding(level: LogLevel, text: string, fields: LogFields): void {
    const found = `${text} ${JSON.stringify(fields)}`;
    if (this.#found.has(found) || this.#found.size > 100) return;
    this.#found.add(found);
    this.#write(level, text, fields);
  }

  #write(level: LogLevel, text: string, fields: LogFields): void {
    const logger = this.#logger;
    if (logger === undefined) return;
    new Promise((resolve) => resolve(logger[level](fields, text))).catch(() => {});
  }
}

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
