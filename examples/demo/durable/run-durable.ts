import { availableParallelism } from "node:os";
import { setTimeout } from "node:timers/promises";
import { type DurableEntry, stopOnSignals, TaskManager } from "millrace";
import { redisBackend } from "millrace/redis";
import type { DemoCommand } from "../command-line.ts";
import { chooseMishap, type Mishaps, sizeOf } from "../digest-folder.ts";
import { formatMs } from "../format.ts";
import { contract } from "../handlers.ts";
import { type Kind, kindOf } from "../kinds.ts";
import { Outcomes } from "../outcomes.ts";
import { showProgress } from "../progress.ts";
import { countFiles, HEAD_START_MS, walk } from "../walk.ts";
import { AwaitedDigests } from "./awaited-digests.ts";
import { Crew } from "./crew.ts";
import { type DurableSummary, type Killed, summarizeDurable } from "./durable-summary.ts";
import { openStore, type Store } from "./redis.ts";

const WORKERS = 2;
/** Files worked on at once where nobody says: while one is handed over or reported, another is worked on. */
const PER_CORE = 4;
/** So many files are handed over in one call. */
const BATCH = 100;

type Producer = TaskManager<typeof contract>;

/**
 * The same work with durable tasks. This process only produces: two others do the work, one of them is killed
 * when half of it has begun, and another takes its place.
 * @throws {UsageError} where there is no Redis
 */
export async function runDurable(command: DemoCommand): Promise<DurableSummary> {
  const store = await openStore(command.redis);
  try {
    return await new DurableRun(command, store).run();
  } finally {
    await store.close();
  }
}

class DurableRun {
  readonly #command: DemoCommand;
  readonly #store: Store;
  readonly #tasks: Producer;
  readonly #crew: Crew;
  readonly #outcomes = new Outcomes();
  readonly #digests = new AwaitedDigests(this.#outcomes);
  readonly #mishaps: Mishaps | undefined;
  readonly #producing = new AbortController();
  readonly #interrupted = aborted(this.#producing.signal);
  readonly #startedAt = performance.now();
  readonly #display: ReturnType<typeof showProgress>;
  #counted = 0;
  #killing: Promise<void> | undefined;
  #killed: Killed | undefined;
  #interruptedBy: string | undefined;
  #failure: Error | undefined;

  constructor(command: DemoCommand, store: Store) {
    const { concurrency = PER_CORE * availableParallelism(), inline, mishaps, rate } = command;
    this.#command = command;
    this.#store = store;
    this.#mishaps = mishaps ? { failedOnce: [], cancelled: null } : undefined;
    this.#tasks = new TaskManager({
      handlers: contract,
      backend: redisBackend(store.address),
      consume: false,
    });
    // A limit is one process's own: what is asked for is shared out.
    const share = { rate: rate / WORKERS, concurrency: Math.ceil(concurrency / WORKERS) };
    this.#crew = new Crew(
      { address: store.address, inline, ...share },
      (name) => this.#considerKilling(name),
      (error) => this.#fail(error),
    );
    this.#display = showProgress(() => this.#progress());
  }

  async run(): Promise<DurableSummary> {
    const { folder, deadline } = this.#command;
    const { signal } = this.#producing;
    const stop = async (deadlineMs: number) => {
      this.#producing.abort();
      await this.#crew.stop(deadlineMs);
    };
    const stoppable = {
      stopGraceful: ({ deadlineMs }: { readonly deadlineMs: number }) => stop(deadlineMs),
      stopNow: async () => this.#crew.killAll(),
    };
    const listening = stopOnSignals(stoppable, {
      deadlineMs: deadline * 1_000,
      onSignal: (name) => {
        this.#interruptedBy = name;
        this.#display.say(`${name}: finishing what has begun, for at most ${deadline} s; Ctrl-C kills`);
      },
    });
    const counting = countFiles(folder, signal, () => this.#counted++);
    try {
      await Promise.all(Array.from({ length: WORKERS }, () => this.#crew.add()));
      this.#display.say(`tasks are in ${this.#store.description}; ${WORKERS} processes do them`);
      await Promise.race([counting, setTimeout(HEAD_START_MS, undefined, { ref: false })]);
      await this.#produce();
      await Promise.race([this.#digests.room(1), this.#interrupted]);
      await this.#killing;
    } finally {
      await stop(deadline * 1_000);
      await counting;
      await this.#digests.lookAgain();
      await this.#tasks.stopGraceful();
      if (this.#interruptedBy === undefined) listening[Symbol.dispose]();
      this.#display.stop();
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#summarize();
  }

  /** Hands over one task for each file, and goes on when so many are unfinished only while some end. */
  async #produce(): Promise<void> {
    const { folder, backlog } = this.#command;
    const { signal } = this.#producing;
    const onUnreadable = (path: string, error: unknown) => this.#outcomes.addUnreadableFolder(path, error);
    let batch: Planned[] = [];
    const flush = async () => {
      const planned = batch;
      batch = [];
      await Promise.race([this.#digests.room(backlog), this.#interrupted]);
      if (planned.length === 0 || signal.aborted) return;
      const handles = await this.#tasks.enqueueDurableMany(planned.map(({ entry }) => entry));
      for (const [index, handle] of handles.entries()) {
        const { path, kind, cancel } = planned[index] as Planned;
        this.#digests.add(handle, path, kind);
        if (cancel) await handle.cancel("chosen to be cancelled");
      }
    };
    for await (const path of walk(folder, { signal, onUnreadable })) {
      batch.push(await this.#plan(path));
      if (batch.length >= Math.min(BATCH, backlog)) await flush();
    }
    await flush();
  }

  async #plan(path: string): Promise<Planned> {
    const mishap = this.#mishaps && chooseMishap(this.#mishaps, path);
    const bytes = await sizeOf(path);
    const kind = kindOf(path);
    const options = {
      queue: kind,
      priority: Math.ceil(Math.log2(bytes + 1)),
      timeoutMs: 60_000 + bytes / 1_000,
      delayMs: mishap === "cancel" ? 60_000 : 0, // else it may be done before it is cancelled
    };
    const entry = ["digestFile", { path, failOnce: mishap === "fail once" }, options] as const;
    return { entry, path, kind, cancel: mishap === "cancel" };
  }

  #considerKilling(name: string): void {
    const half = Math.max(this.#counted, this.#digests.enqueued) / 2;
    if (this.#killing !== undefined || this.#producing.signal.aborted || this.#crew.begun < half) return;
    this.#killing = this.#kill(name).catch((error: Error) => this.#fail(error));
  }

  async #kill(name: string): Promise<void> {
    const afterMs = this.#elapsedMs;
    const { pid, held } = await this.#crew.kill(name);
    const files = held === 1 ? "1 file" : `${held} files`;
    this.#display.say(`SIGKILL for ${name} (process ${pid}) after ${formatMs(afterMs)}: it held ${files}`);
    const replacement = this.#producing.signal.aborted ? null : await this.#crew.add();
    if (replacement !== null) this.#display.say(`${replacement} takes its place`);
    this.#killed = { name, pid, afterMs, held, replacement };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#producing.abort();
  }

  get #elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  #progress() {
    const { enqueued, ended } = this.#digests;
    const total = Math.max(this.#counted, enqueued);
    const alive = this.#crew.workers.filter(({ end }) => end === null);
    const done = alive.map(({ name, completed }) => `${name}: ${completed} done`);
    const detail = [...done, `${this.#crew.running} running`, `${enqueued - ended} in Redis`].join(", ");
    return { ended, total, bytes: this.#outcomes.bytes, elapsedMs: this.#elapsedMs, detail };
  }

  #summarize(): DurableSummary {
    return summarizeDurable({
      ...{ folder: this.#command.folder, elapsedMs: this.#elapsedMs },
      ...{ digests: this.#digests, outcomes: this.#outcomes, crew: this.#crew },
      ...{ mishaps: this.#mishaps, killed: this.#killed, interruptedBy: this.#interruptedBy },
    });
  }
}

/** A file on its way into the store. */
interface Planned {
  readonly entry: DurableEntry<typeof contract>;
  readonly path: string;
  readonly kind: Kind;
  readonly cancel: boolean;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
