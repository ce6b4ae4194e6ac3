import type {
  BackendInspector,
  HeldDeadLetter,
  QueueCounts,
  ReadOptions,
  ReplayAnswer,
  ReplayRequest,
  StoredTask,
} from "../../ports/backend-inspector.js";
import { strange, toList, toText } from "./answer-values.js";
import { toCounts } from "./answers.js";
import { runByQueue } from "./by-queue.js";
import type { ScriptValue } from "./pack-texts.js";
import { toStoredTask } from "./record-format.js";
import type { ScriptRunner } from "./script-runner.js";
import { COUNTS } from "./scripts/counts.js";
import { READ } from "./scripts/read.js";
import { REPLAY } from "./scripts/replay.js";
import { type StoreKeys, splitId } from "./store-keys.js";

/** Records can be large. */
const READS = { most: 100, sizeOf: () => 0 };

/** The port's bound. */
const REPLAYS_PER_CALL = 1_000;

/** So many dead letters are looked at by one call of the script. */
const STEPS_PER_REPLAY = 250;

/** Looks at what Redis has. */
export class RedisInspector implements BackendInspector {
  readonly #runner: ScriptRunner;
  readonly #keys: StoreKeys;

  constructor(runner: ScriptRunner, keys: StoreKeys) {
    this.#runner = runner;
    this.#keys = keys;
  }

  async read(
    ids: readonly string[],
    { payloads = true }: ReadOptions = {},
  ): Promise<readonly (StoredTask | undefined)[]> {
    const wanted = ids.map((id) => ({ id }));
    return runByQueue(wanted, READS, async (queue, parts) => {
      const found: (StoredTask | undefined)[] = [];
      while (found.length < parts.length) {
        const left = parts.slice(found.length);
        const args = [payloads ? "1" : "0", ...left.map(({ rest }) => rest)];
        const [, ...answers] = await this.#runner.run(READ, this.#keys.of(queue).meta, args, "producer");
        if (answers.length === 0) return strange();
        for (const [index, answer] of answers.entries()) {
          const task = toTask(left[index]?.one.id ?? strange(), answer);
          found.push(payloads || task === undefined ? task : { ...task, payload: undefined });
        }
      }
      return found;
    });
  }

  async counts(queues: readonly string[]): Promise<readonly QueueCounts[]> {
    return Promise.all(
      queues.map(async (queue) =>
        toCounts(await this.#runner.run(COUNTS, this.#keys.of(queue).meta, [], "producer")),
      ),
    );
  }

  async replay(request: ReplayRequest): Promise<ReplayAnswer> {
    return request.ids === undefined ? this.#replayAll(request) : this.#replayNamed(request, request.ids);
  }

  async #replayAll(request: ReplayRequest): Promise<ReplayAnswer> {
    const replayed: string[] = [];
    const held = new Map<string, HeldDeadLetter>(); // some are looked at twice
    for (let from = "-inf"; ; ) {
      const most = REPLAYS_PER_CALL - replayed.length;
      const step = await this.#step(request, most, [STEPS_PER_REPLAY, from]);
      replayed.push(...step.replayed);
      for (const one of step.held) held.set(one.id, one);
      // It goes on but where somebody else has given more of them one score than one step looks at.
      const isStuck = step.passed === from && step.replayed.length === 0;
      if (step.more || step.isEnd || isStuck) return { replayed, held: [...held.values()], more: step.more };
      from = step.passed;
    }
  }

  async #replayNamed(request: ReplayRequest, ids: readonly string[]): Promise<ReplayAnswer> {
    const rests = [...new Set(ids)]
      .map(splitId)
      .filter(([queue]) => queue === request.queue)
      .map(([, rest]) => rest);
    const replayed: string[] = [];
    const held: HeldDeadLetter[] = [];
    for (let at = 0; at < rests.length; at += STEPS_PER_REPLAY) {
      const some = rests.slice(at, at + STEPS_PER_REPLAY);
      const step = await this.#step(request, REPLAYS_PER_CALL - replayed.length, [0, ...some]);
      replayed.push(...step.replayed);
      held.push(...step.held);
      if (step.more) return { replayed, held, more: true };
    }
    return { replayed, held, more: false };
  }

  async #step(
    { queue, handler = "", reason = "" }: ReplayRequest,
    most: number,
    chosen: readonly ScriptValue[],
  ): Promise<ReplayAnswer & { readonly passed: string; readonly isEnd: boolean }> {
    const args = [most, handler, reason, ...chosen];
    const answer = await this.#runner.run(REPLAY, this.#keys.of(queue).meta, args, "producer");
    return {
      more: answer[0] === 1,
      isEnd: answer[1] === 1,
      passed: toText(answer[2]),
      replayed: toList(answer[3]).map((rest) => `${queue}:${toText(rest)}`),
      held: toHeldDeadLetters(queue, toList(answer[4])),
    };
  }
}

function toHeldDeadLetters(queue: string, rests: readonly unknown[]): readonly HeldDeadLetter[] {
  const held: HeldDeadLetter[] = [];
  for (let at = 0; at + 1 < rests.length; at += 2)
    held.push({ id: `${queue}:${toText(rests[at])}`, heldBy: `${queue}:${toText(rests[at + 1])}` });
  return held;
}

/** One that is damaged is none, and keeps nobody from those beside it. */
function toTask(id: string, answer: unknown): StoredTask | undefined {
  const [until, record, beside] = toList(answer);
  if (record === undefined) return undefined;
  if (!Buffer.isBuffer(record)) return strange();
  const fields = toList(beside);
  const place = toText(until);
  try {
    return toStoredTask(id, place, record, fields);
  } catch {
    return undefined;
  }
}
