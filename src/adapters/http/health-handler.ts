import type { IncomingMessage, ServerResponse } from "node:http";
import { type Check, type Checks, duration, expected, flag, having, readOptions } from "../../task/checks.js";
import type { HealthConcern, TaskManagerHealth } from "../../task/manager-stats.js";

/** Why a manager is not live, or not ready. */
export type HealthReason =
  | HealthConcern
  /** As many tasks wait as `capacity` allows. */
  | "full"
  /** A task has waited longer than `maxOldestWaitMs`. */
  | "waiting-too-long"
  /** The manager could not be asked. */
  | "unknown";

/** What `healthHandler` answers with, as JSON. */
export interface HealthAnswer {
  readonly status: "ok" | "unavailable";
  /** Why it is unavailable; empty where it is ok. */
  readonly reasons: readonly HealthReason[];
  /** Those of `health()`, also where none of them is a reason. */
  readonly concerns: readonly HealthConcern[];
}

/** Options of `healthHandler`. */
export interface HealthHandlerOptions {
  /** Where it answers whether to restart the process. Default `"/livez"`. */
  livePath?: string | undefined;
  /** Where it answers whether to send it work. Default `"/readyz"`. */
  readyPath?: string | undefined;
  /** Not ready while a task waits for its first start longer than this, in milliseconds. Default: none. */
  maxOldestWaitMs?: number | undefined;
  /** Ready also while as many tasks wait as `capacity` allows, as where callers wait. Default false. */
  readyWhenFull?: boolean | undefined;
}

/** What can be asked for its health: a `TaskManager`. */
interface Checkable {
  health(): TaskManagerHealth;
}

/** What a request is answered with. */
interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const METHODS: readonly unknown[] = ["GET", "HEAD"];

const pathCheck: Check<string> = (value, path) => {
  if (typeof value === "string" && /^\/[^?#\s]*$/.test(value)) return value;
  throw expected(path, "a path that begins with / and has no query", value);
};

const CHECKS: Checks<HealthHandlerOptions> = {
  livePath: pathCheck,
  readyPath: pathCheck,
  maxOldestWaitMs: duration(0),
  readyWhenFull: flag,
};

const checkable = having<Checkable>("a task manager", "health");

/**
 * Answers the probes of an orchestrator, for `node:http` and frameworks that take its handlers, also below a
 * prefix that these cut off. `GET /livez`: 200, or 503 when a restart would help: the manager has stopped,
 * all of its slots are held by abandoned attempts, or no worker thread can be started. `GET /readyz`: 200, or
 * 503 when it accepts no tasks: it is stopping, full, or not live. The body is a `HealthAnswer`: no name,
 * payload or text of an error is in it.
 * @throws {OptionError} when the manager is none, or an option is wrong; the handler itself never throws
 */
export function healthHandler(
  tasks: Checkable,
  options?: HealthHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const manager = checkable(tasks, "tasks");
  const read = readOptions<HealthHandlerOptions>("", options, CHECKS);
  const { livePath = "/livez", readyPath = "/readyz" } = read;
  if (livePath === readyPath) throw expected("readyPath", "another path than `livePath`", readyPath);
  const probes = new Map([
    [livePath, () => judgeLife(manager)],
    [readyPath, () => judgeReadiness(manager, read)],
  ]);
  return (request, response) => {
    try {
      respond(request, response, answer(request, probes));
    } catch {
      // Somebody has answered already, or the response is none: there is nobody to tell.
    }
  };
}

function answer({ method, url }: IncomingMessage, probes: ReadonlyMap<string, () => HealthAnswer>): Answer {
  const probe = probes.get(toPath(url));
  if (probe === undefined) return { status: 404, body: { status: "not-found" } };
  if (!METHODS.includes(method)) {
    return { status: 405, body: { status: "method-not-allowed" }, headers: { allow: "GET, HEAD" } };
  }
  const body = probe();
  return { status: body.status === "ok" ? 200 : 503, body };
}

/** Without its query, and where a client wrote the whole URL, without its beginning. Never throws. */
function toPath(url: unknown): string {
  if (typeof url !== "string") return "";
  const [target = ""] = url.split(/[?#]/, 1);
  return target.replace(/^https?:\/\/[^/]*/i, "");
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  { status, body, headers }: Answer,
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  });
  if (request.method === "HEAD") response.end();
  else response.end(text);
}

function judgeLife(manager: Checkable): HealthAnswer {
  return judge(() => {
    const health = manager.health();
    return [health, reasonsToRestart(health)];
  });
}

function judgeReadiness(manager: Checkable, options: HealthHandlerOptions): HealthAnswer {
  const { maxOldestWaitMs = Number.POSITIVE_INFINITY, readyWhenFull = false } = options;
  return judge(() => {
    const health = manager.health();
    const reasons: HealthReason[] = [...reasonsToRestart(health)];
    if (health.concerns.includes("stopping")) reasons.push("stopping");
    if (!readyWhenFull && health.waiting >= health.capacity) reasons.push("full");
    if (health.oldestWaitMs > maxOldestWaitMs) reasons.push("waiting-too-long");
    return [health, reasons];
  });
}

/**
 * Nothing will ever start here again, or not before handlers end that have ignored their signals, or nothing
 * that needs a thread.
 */
function reasonsToRestart({ concerns, slots }: TaskManagerHealth): readonly HealthReason[] {
  if (concerns.includes("stopped")) return ["stopped"];
  const reasons: HealthReason[] = [];
  if (slots.held >= slots.concurrency) reasons.push("abandoned-holding-slots");
  if (concerns.includes("threads-failing")) reasons.push("threads-failing");
  return reasons;
}

function judge(look: () => readonly [TaskManagerHealth, readonly HealthReason[]]): HealthAnswer {
  try {
    const [{ concerns }, reasons] = look();
    return { status: reasons.length === 0 ? "ok" : "unavailable", reasons, concerns };
  } catch {
    return { status: "unavailable", reasons: ["unknown"], concerns: [] };
  }
}
