import * as check from "./checks.js";

/**
 * Memory limits of a worker thread, as `node:worker_threads` takes them. They are best effort: Buffers are
 * not counted, and one huge array can take the whole process with it.
 */
export interface ThreadResourceLimits {
  maxOldGenerationSizeMb?: number | undefined;
  maxYoungGenerationSizeMb?: number | undefined;
  codeRangeSizeMb?: number | undefined;
  stackSizeMb?: number | undefined;
}

/** Options of the worker threads of a manager. Threads are made on first need. */
export interface ThreadOptions {
  /** Threads that are kept while there is nothing to do: 0 to 1,000. Default 0. */
  min?: number | undefined;
  /** Threads, and so tasks in threads, at once: 1 to 1,000. Default: what the machine can run at once. */
  max?: number | undefined;
  /** A thread beyond `min` that had nothing to do for this long ends, in milliseconds. Default 30,000. */
  idleTimeoutMs?: number | undefined;
  /**
   * Where all threads are busy, one more is made when a task has been ready for this long, in milliseconds.
   * Default 0: at once, as long as there are fewer than `max`.
   */
  scaleUpAfterMs?: number | undefined;
  /**
   * How long a thread may take to come up, and how long to import a handler's module, in milliseconds, before
   * it is given up. Default 30,000.
   */
  startTimeoutMs?: number | undefined;
  /**
   * A thread is replaced when so many attempts have begun in it; with 1, each runs in a fresh thread,
   * whatever others did to their globals. Default: no limit.
   */
  maxTasksPerThread?: number | undefined;
  /** A thread is replaced, between tasks, when its heap has grown beyond this, in MiB. Default: no limit. */
  maxHeapMb?: number | undefined;
  /** Whether small tasks of one handler and priority are handed over several at a time. Default true. */
  batching?: boolean | undefined;
  /** What the names of threads begin with: 1 to 128 of `A-Z a-z 0-9 _ . : -`. Default `"millrace"`. */
  name?: string | undefined;
  /** The environment of threads; copied. Default: empty, none of the process's own. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** What follows in `process.argv` of threads. Default: nothing. */
  argv?: readonly string[] | undefined;
  /**
   * Options of Node for threads, such as `["--enable-source-maps"]`. Default: none, not those of the process.
   */
  execArgv?: readonly string[] | undefined;
  /** What `workerData()` of `millrace/worker` gives in threads; a structured clone. Default: undefined. */
  workerData?: unknown;
  resourceLimits?: ThreadResourceLimits | undefined;
  /** Modules that a thread imports, in this order, before it takes tasks: file URLs. Default: none. */
  preload?: readonly URL[] | undefined;
}

/** Thread options after the door: complete, checked, frozen. */
export interface ThreadSettings {
  readonly min: number;
  readonly max: number;
  readonly idleTimeoutMs: number;
  readonly scaleUpAfterMs: number;
  readonly startTimeoutMs: number;
  readonly maxTasksPerThread: number;
  readonly maxHeapMb: number;
  readonly batching: boolean;
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
  readonly execArgv: readonly string[];
  readonly workerData: unknown;
  readonly resourceLimits: Readonly<Record<string, number>>;
  readonly preload: readonly string[];
}

/** So many threads, at most: each takes some ten megabytes. */
const MAX_THREADS = 1_000;

const memory = check.rate;

const LIMIT_CHECKS: check.Checks<ThreadResourceLimits> = {
  maxOldGenerationSizeMb: memory,
  maxYoungGenerationSizeMb: memory,
  codeRangeSizeMb: memory,
  stackSizeMb: memory,
};

/** The checks of what can be changed while the manager works too. */
export const POOL_SIZE_CHECKS = {
  min: check.integer(0, MAX_THREADS),
  max: check.integer(1, MAX_THREADS),
};

const CHECKS: check.Checks<ThreadOptions> = {
  ...POOL_SIZE_CHECKS,
  idleTimeoutMs: check.duration(0),
  scaleUpAfterMs: check.duration(0),
  startTimeoutMs: check.duration(1),
  maxTasksPerThread: check.integer(1),
  maxHeapMb: check.rate,
  batching: check.flag,
  name: check.name,
  env: readEnv,
  argv: readTexts,
  execArgv: readTexts,
  workerData: toClone,
  resourceLimits: (value, path) => check.readOptions(path, value, LIMIT_CHECKS),
  preload: readPreload,
};

/** Thread options as an option: each checked by itself, and copied. */
export const threadOptionsCheck: check.Check<ThreadOptions> = (value, path) =>
  check.readOptions<ThreadOptions>(path, value, CHECKS);

/**
 * Completes checked options and holds them against each other.
 * @param parallelism how many threads the machine can run at once
 * @throws {OptionError} when `min` is above `max`
 */
export function toThreadSettings(read: ThreadOptions, parallelism: number): ThreadSettings {
  const { env = {}, preload = [], resourceLimits = {} } = read;
  const { min = 0, max = Math.max(1, min, parallelism) } = read;
  refuseSize(min, max);
  return Object.freeze({
    min,
    max,
    idleTimeoutMs: read.idleTimeoutMs ?? 30_000,
    scaleUpAfterMs: read.scaleUpAfterMs ?? 0,
    startTimeoutMs: read.startTimeoutMs ?? 30_000,
    maxTasksPerThread: read.maxTasksPerThread ?? Number.POSITIVE_INFINITY,
    maxHeapMb: read.maxHeapMb ?? Number.POSITIVE_INFINITY,
    batching: read.batching ?? true,
    name: read.name ?? "millrace",
    env: Object.freeze(env as Record<string, string>),
    argv: Object.freeze([...(read.argv ?? [])]),
    execArgv: Object.freeze([...(read.execArgv ?? [])]),
    workerData: read.workerData,
    resourceLimits: Object.freeze(resourceLimits as Record<string, number>),
    preload: Object.freeze(preload.map(({ href }) => href)),
  });
}

/** @throws {OptionError} when the least is above the most */
export function refuseSize(min: number, max: number): void {
  if (min > max) throw check.expected("threads.min", `at most \`threads.max\`, which is ${max}`, min);
}

/** A copy, which each thread gets; what cannot be copied would fail every start. */
function toClone(value: unknown, path: string): unknown {
  try {
    return structuredClone(value);
  } catch {
    throw check.expected(path, "a value that structured clone takes", value);
  }
}

/** A copy, so that what a thread gets does not change with `process.env`. */
function readEnv(value: unknown, path: string): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw check.expected(path, "an object of strings", value);
  }
  const env: Record<string, string> = Object.create(null);
  for (const [name, text] of Object.entries(value as Record<string, unknown>)) {
    if (text === undefined) continue;
    if (typeof text !== "string") throw check.expected(`${path}.${name}`, "a string", text);
    env[name] = text;
  }
  return env;
}

function readTexts(value: unknown, path: string): readonly string[] {
  if (!Array.isArray(value)) throw check.expected(path, "an array of strings", value);
  return value.map((text: unknown, index) => {
    if (typeof text !== "string") throw check.expected(`${path}.${index}`, "a string", text);
    return text;
  });
}

function readPreload(value: unknown, path: string): readonly URL[] {
  if (!Array.isArray(value)) throw check.expected(path, "an array of file URLs", value);
  return value.map((url: unknown, index) => {
    if (url instanceof URL && url.protocol === "file:") return new URL(url.href);
    throw check.expected(`${path}.${index}`, "a file URL", url);
  });
}
