import { MemoryStore } from "../../src/adapters/memory/memory-store.js";
import type { StoredTask } from "../../src/ports/backend-inspector.js";
import type { SignalListener } from "../../src/ports/backend-signals.js";
import type { Answer, Call, Sent } from "./calls.js";
import type { CallTarget, Executed, Link } from "./link.js";
import type { StoreView } from "./store-audit.js";
import type { Timeline } from "./timeline.js";

const EPOCH = Date.UTC(2026, 0, 1);
const CAPACITY = 100_000;
const DEAD_LETTERS = { maxEntries: 1_000, ttlMs: 14 * 86_400_000 };

/** Does what a call asks for. A mutant does it wrongly. */
export type Executor = (store: MemoryStore, call: Call) => Answer;

export interface StoreWatcher {
  executing(sent: Sent): unknown;
  executed(sent: Sent, before: unknown, answer: Answer): void;
}

interface Logged {
  readonly wallNow: number;
  readonly at: number;
  readonly call: Call;
}

/** What a store has after it was started again. */
export type StoredContents = "all" | "older" | "none";

/** The server: it has its own clock, may be down, and may come back with other contents. */
export class SimulatedStore implements CallTarget, StoreView {
  readonly #timeline: Timeline;
  readonly #queues: readonly string[];
  readonly #execute: Executor;
  readonly #watcher: StoreWatcher;
  readonly #listeners: { readonly link: Link; readonly listener: SignalListener }[] = [];
  /** Kept only where it may have to come back with older contents. */
  readonly #log: Logged[] | undefined;
  #store: MemoryStore;
  #clockOffset = 0;
  /** While older contents are made anew, the time at which each call was executed. */
  #replayedAt: number | undefined;
  #lastWallNow = 0;
  #elapsed = 0;
  #down = false;

  constructor(parts: {
    readonly timeline: Timeline;
    readonly queues: readonly string[];
    readonly execute: Executor;
    readonly watcher: StoreWatcher;
    readonly keepsLog: boolean;
  }) {
    this.#timeline = parts.timeline;
    this.#queues = parts.queues;
    this.#execute = parts.execute;
    this.#watcher = parts.watcher;
    this.#log = parts.keepsLog ? [] : undefined;
    this.#lastWallNow = this.wallNow;
    this.#store = this.#create();
    this.#listenTo(this.#store);
  }

  get wallNow(): number {
    return this.#replayedAt ?? EPOCH + this.#clockOffset + this.#timeline.now;
  }

  get clockOffset(): number {
    return this.#clockOffset;
  }

  get elapsed(): number {
    return this.#elapsed;
  }

  execute(sent: Sent): Executed | undefined {
    if (this.#down) return undefined;
    this.#advance();
    const { call } = sent;
    this.#log?.push({ wallNow: this.wallNow, at: this.#timeline.now, call });
    const before = this.#watcher.executing(sent);
    let answer: Answer;
    try {
      answer = this.#execute(this.#store, call);
    } catch (error) {
      return { error };
    }
    this.#watcher.executed(sent, before, answer);
    return { answer };
  }

  look(ids: readonly string[]): readonly (StoredTask | undefined)[] {
    this.#advance();
    return this.#store.read(ids);
  }

  /** How many tasks each place of the queues has, by its own count. */
  counts(): ReturnType<MemoryStore["counts"]> {
    this.#advance();
    return this.#store.counts(this.#queues);
  }

  listen(link: Link, listener: SignalListener): () => void {
    const entry = { link, listener };
    this.#listeners.push(entry);
    return () => {
      const index = this.#listeners.indexOf(entry);
      if (index !== -1) this.#listeners.splice(index, 1);
    };
  }

  stepClock(ms: number): void {
    this.#clockOffset += ms;
  }

  goDown(): void {
    this.#down = true;
  }

  /** @param since for older contents: what was done after that instant is gone */
  comeUp(contents: StoredContents, since: number): void {
    this.#down = false;
    if (contents === "all") return;
    this.#store = this.#create();
    if (contents === "older") this.#replay(since);
    else if (this.#log !== undefined) this.#log.length = 0;
    this.#listenTo(this.#store);
    for (const queue of this.#queues) this.#tell((listener) => listener.storeLost(queue));
  }

  #create(): MemoryStore {
    const clock = { wallNow: () => this.wallNow };
    return new MemoryStore({ clock, capacity: CAPACITY, deadLetters: DEAD_LETTERS });
  }

  #replay(until: number): void {
    const log = this.#log ?? [];
    const kept = log.findIndex(({ at }) => at > until);
    if (kept !== -1) log.length = kept;
    const [first] = log;
    if (first !== undefined) this.#replayedAt = first.wallNow;
    this.#store = this.#create();
    for (const { wallNow, call } of log) {
      this.#replayedAt = wallNow;
      this.#execute(this.#store, call);
    }
    this.#replayedAt = undefined;
  }

  /** As the store reckons how long leases have lasted. */
  #advance(): void {
    const now = this.wallNow;
    if (now > this.#lastWallNow) this.#elapsed += now - this.#lastWallNow;
    this.#lastWallNow = now;
  }

  #listenTo(store: MemoryStore): void {
    store.listen(this.#queues, {
      wake: (queue) => this.#tell((listener) => listener.wake(queue)),
      cancelAsked: (id) => this.#tell((listener) => listener.cancelAsked(id)),
      finished: (id) => this.#tell((listener) => listener.finished?.(id)),
      storeLost: () => {},
    });
  }

  #tell(signal: (listener: SignalListener) => void): void {
    for (const { link, listener } of this.#listeners) link.signal(() => signal(listener));
  }
}

/** What a store does that is as it should be. */
export function executeCall(store: MemoryStore, call: Call): Answer {
  switch (call.method) {
    case "enqueue":
      return store.enqueue(...call.args);
    case "claim":
      return store.claim(...call.args);
    case "extend":
      return store.extend(...call.args);
    case "ack":
      return store.ack(...call.args);
    case "nack":
      return store.nack(...call.args);
    case "deadLetter":
      return store.deadLetter(...call.args);
    case "cancel":
      return store.cancel(...call.args);
  }
}
