import { createHash, randomUUID } from "node:crypto";
import { assert } from "../../errors.js";
import type {
  Ack,
  Backend,
  CancelAnswer,
  Cancellation,
  ClaimAnswer,
  ClaimRequest,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  Nack,
  NewTask,
} from "../../ports/backend.js";
import type { BackendInspector } from "../../ports/backend-inspector.js";
import type { BackendSignals } from "../../ports/backend-signals.js";
import type { BackendRenewer } from "../../ports/lease-renewal.js";
import type { BackendLog } from "../../ports/logger.js";
import {
  toCancelAnswer,
  toClaimAnswer,
  toEnqueueAnswers,
  toExtendAnswer,
  toHeld,
  toMark,
} from "./answers.js";
import { nextPortion, type Part, type Portion, runByQueue } from "./by-queue.js";
import { clientFactory } from "./create-client.js";
import { OWN_RESULT_TTL_MS } from "./own-errors.js";
import type { ScriptValue } from "./pack-texts.js";
import { Reconciler } from "./reconciler.js";
import { RedisConnection } from "./redis-connection.js";
import { RedisInspector } from "./redis-inspector.js";
import { RedisLog } from "./redis-log.js";
import { type RedisBackendOptions, type RedisSettings, readRedisOptions } from "./redis-options.js";
import { RedisSignals } from "./redis-signals.js";
import { RedisRenewer } from "./renewal/redis-renewer.js";
import {
  ackArguments,
  cancelArguments,
  claimArguments,
  deadLetterArguments,
  extendArguments,
  nackArguments,
  packNewTasks,
  toWhole,
} from "./script-arguments.js";
import { type Caller, ScriptRunner } from "./script-runner.js";
import { ACK } from "./scripts/ack.js";
import { CANCEL } from "./scripts/cancel.js";
import { CLAIM } from "./scripts/claim.js";
import { DEAD_LETTER } from "./scripts/dead-letter.js";
import { ENQUEUE } from "./scripts/enqueue.js";
import { EXTEND } from "./scripts/extend.js";
import { NACK } from "./scripts/nack.js";
import type { Script } from "./scripts/script.js";
import { checkStore } from "./store-checks.js";
import { StoreKeys } from "./store-keys.js";
import { StoreMarks } from "./store-marks.js";

/** The port's bound: of what one queue has in it, all is kept or nothing. */
const ENQUEUES: Portion<NewTask> = { most: 1_000, sizeOf };

/** What other scripts take at once: a few milliseconds of the server's time. */
const SETTLEMENTS = 250;

/**
 * Keeps durable tasks in Redis 7.0 or later, on `ioredis`. It connects at the first call, on one connection
 * for calls and one for signals, and on a third one in a thread of its own once a task runs here. It keeps no
 * process alive between calls.
 * @throws {OptionError}
 * @throws {PeerMissingError} where ioredis is missing
 */
export function redisBackend(options: RedisBackendOptions): Backend {
  return new RedisBackend(readRedisOptions(options));
}

class RedisBackend implements Backend {
  readonly inspector: BackendInspector;
  readonly log: BackendLog;
  readonly #renewer: RedisRenewer;
  readonly #signals: RedisSignals;
  readonly #connection: RedisConnection;
  readonly #runner: ScriptRunner;
  readonly #reconciler: Reconciler;
  readonly #keys: StoreKeys;
  readonly #marks = new StoreMarks();

  constructor(settings: RedisSettings) {
    const { address, prefix, maxDead, deadTtlMs, commandTimeoutMs, logger } = settings;
    const create = clientFactory(address);
    const log = new RedisLog(logger);
    this.log = log;
    const keys = new StoreKeys(prefix);
    this.#keys = keys;
    this.#connection = new RedisConnection({
      ...{ commandTimeoutMs, log },
      create: () => create("millrace", commandTimeoutMs),
      check: (client) => checkStore(client, log),
    });
    this.#runner = new ScriptRunner(this.#connection, [maxDead, deadTtlMs]);
    this.#reconciler = new Reconciler({ connection: this.#connection, runner: this.#runner, keys, log });
    this.inspector = new RedisInspector(this.#runner, keys);
    this.#renewer = new RedisRenewer(settings, log);
    this.#signals = new RedisSignals({
      ...{ commandTimeoutMs, keys, log },
      create: () => create("millrace-signals", commandTimeoutMs),
    });
  }

  get signals(): BackendSignals {
    return this.#signals;
  }

  get renewer(): BackendRenewer {
    return this.#renewer;
  }

  async enqueue(requestId: string, tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    const answers: EnqueueAnswer[] = [];
    // One portion after another: what is large is not to wait all at a time.
    do {
      const portion = nextPortion(tasks, answers.length, ENQUEUES);
      answers.push(...(await this.#enqueue(requestId, portion, answers.length)));
    } while (answers.length < tasks.length);
    return answers;
  }

  #enqueue(requestId: string, tasks: readonly NewTask[], first: number): Promise<readonly EnqueueAnswer[]> {
    let before = first;
    const mark = toMarkOfRequest(requestId);
    return runByQueue(tasks, ENQUEUES, async (queue, parts, bytes) => {
      assert(queue !== "", "the id of a durable task is `queue:rest`");
      const error = this.#keys.of(queue).errors.replaced;
      const own = [randomUUID(), parts.length, OWN_RESULT_TTL_MS, error];
      const args = packNewTasks(own, parts, mark, before, bytes);
      before += parts.length;
      const answer = await this.#marked(ENQUEUE, queue, args, "producer", bytes);
      return toEnqueueAnswers(queue, parts.length, answer);
    });
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const { requestId, queue, leaseMs } = request;
    const [permits = 0, ...room] = claimArguments(request);
    const first = [randomUUID(), requestId, toWhole(leaseMs), permits];
    const args = [...first, this.#keys.of(queue).errors.crashLoop, OWN_RESULT_TTL_MS, ...room];
    this.#reconciler.occasion();
    let sentAt = performance.now();
    const noteSent = () => {
      sentAt = performance.now();
    };
    const answer = await this.#marked(CLAIM, queue, args, "holder", 0, noteSent);
    return { ...toClaimAnswer(queue, answer), tookMs: performance.now() - sentAt };
  }

  extend(extensions: readonly Extension[]): Promise<readonly ExtendAnswer[]> {
    return this.#settle(EXTEND, extensions, extendArguments, toExtendAnswer, "holder");
  }

  ack(ends: readonly Ack[]): Promise<readonly boolean[]> {
    return this.#settle(ACK, ends, ackArguments, toHeld, "holder");
  }

  nack(returns: readonly Nack[]): Promise<readonly boolean[]> {
    return this.#settle(NACK, returns, nackArguments, toHeld, "holder");
  }

  deadLetter(ends: readonly DeadLetter[]): Promise<readonly boolean[]> {
    return this.#settle(DEAD_LETTER, ends, deadLetterArguments, toHeld, "holder");
  }

  cancel(cancellations: readonly Cancellation[]): Promise<readonly CancelAnswer[]> {
    return this.#settle(CANCEL, cancellations, cancelArguments, toCancelAnswer, "producer");
  }

  async close(): Promise<void> {
    this.#signals.close();
    this.#connection.close();
    await this.#renewer.close();
  }

  #settle<T extends { readonly id: string }, R>(
    script: Script,
    batch: readonly T[],
    toArguments: (parts: readonly Part<T>[]) => ScriptValue[],
    toAnswer: (value: unknown) => R,
    caller: Caller,
  ): Promise<readonly R[]> {
    return runByQueue(batch, { most: SETTLEMENTS, sizeOf: sizeOfEnd }, async (queue, parts) => {
      const answer = await this.#runner.run(script, this.#keys.of(queue).meta, toArguments(parts), caller);
      return parts.map((_, index) => toAnswer(answer[index]));
    });
  }

  /** A script that says which store it ran in. */
  async #marked(
    script: Script,
    queue: string,
    args: readonly ScriptValue[] | Buffer,
    caller: Caller,
    bytes: number,
    onSend?: () => void,
  ): Promise<readonly unknown[]> {
    const before = this.#marks.of(queue);
    const answer = await this.#runner.run(script, this.#keys.of(queue).meta, args, caller, bytes, onSend);
    if (this.#marks.note(queue, before, toMark(answer))) this.#signals.storeLost(queue);
    return answer;
  }
}

function sizeOf({ payload, envelope }: NewTask): number {
  return payload.length + envelope.length;
}

/** Of what can be large in it, whatever is told of a task. */
function sizeOfEnd(one: { readonly id: string } & Partial<Ack & Extension>): number {
  const { outcome, progress } = one;
  return (outcome?.value?.length ?? 0) + (outcome?.error?.length ?? 0) + (progress?.length ?? 0);
}

/** Each task carries that of its call, and its number in it, as long as it lives: so it is short. */
function toMarkOfRequest(requestId: string): string {
  return createHash("sha1").update(requestId).digest("base64url").slice(0, 6);
}
