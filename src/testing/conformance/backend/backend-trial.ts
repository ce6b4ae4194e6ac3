import assert, { AssertionError } from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type {
  Ack,
  Backend,
  CancelAnswer,
  ClaimAnswer,
  ClaimedTask,
  ClaimRequest,
  DeadLetter,
  EnqueueAnswer,
  ExtendAnswer,
  Extension,
  Lease,
  Nack,
  NewTask,
} from "../../../ports/backend.js";
import type { QueueCounts, StoredPlace, StoredTask } from "../../../ports/backend-inspector.js";
import type { BackendSubject, StoreSubject } from "./backend-subject.js";
import { completed, newTask, STORED_ERROR } from "./stored-things.js";

const PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 5;

/** A lease, an outcome or a key that outlasts every case. */
export const LONG_MS = 600_000;

/** Slots for whatever a case enqueues. */
const MANY_SLOTS = 2_000;

/** What a claim says otherwise than most do, and the client that makes it. */
export interface TrialClaim extends Partial<ClaimRequest> {
  readonly by?: Backend | undefined;
}

/** One store under test with its first client. Most cases use the queue `q` and the handler `work`. */
export class BackendTrial {
  readonly subject: BackendSubject;
  readonly #store: StoreSubject;
  readonly #clients: Backend[] = [];
  #calls = 0;

  constructor(subject: BackendSubject, store: StoreSubject) {
    this.subject = subject;
    this.#store = store;
  }

  async open(): Promise<void> {
    await this.connect();
  }

  get backend(): Backend {
    const [first] = this.#clients;
    assert(first !== undefined, "a trial has a client");
    return first;
  }

  /** Another client of the same store. */
  async connect(): Promise<Backend> {
    const client = await this.#store.connect();
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    // That a close is sound is a rule of its own, which others are not to be broken by.
    await Promise.all(this.#clients.map((client) => client.close().catch(() => {})));
    await this.#store.close?.();
  }

  requestId(): string {
    return `request-${++this.#calls}`;
  }

  /** So much of the store's time passes, in leases that are to expire. */
  async pass(leases: number): Promise<void> {
    await this.passMs(leases * this.subject.leaseMs);
  }

  async passMs(ms: number): Promise<void> {
    await this.#store.advanceTime(Math.ceil(ms));
  }

  /** Until each short lease has expired. */
  async expire(): Promise<void> {
    await this.pass(1.2);
  }

  async enqueue(...tasks: readonly NewTask[]): Promise<readonly EnqueueAnswer[]> {
    return await this.backend.enqueue(this.requestId(), tasks);
  }

  /** Enqueues one task, which must be kept. */
  async keep(id: string, said?: Partial<NewTask>): Promise<void> {
    assert.deepEqual(await this.enqueue(newTask(id, said)), [{ outcome: "kept", replaced: undefined }]);
  }

  /** Enqueues some tasks, one call for each. */
  async keepInTurn(...ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.keep(id);
  }

  async claim(said: TrialClaim = {}): Promise<ClaimAnswer> {
    const { by = this.backend, ...request } = said;
    return await by.claim(this.toRequest(request));
  }

  toRequest(said: Partial<ClaimRequest> = {}): ClaimRequest {
    return {
      requestId: this.requestId(),
      queue: "q",
      leaseMs: LONG_MS,
      handlers: [{ name: "work", lane: 0, room: Number.POSITIVE_INFINITY }],
      slots: [MANY_SLOTS],
      permits: Number.POSITIVE_INFINITY,
      ...said,
    };
  }

  /** Claims what must be one task. */
  async claimOne(said: TrialClaim = {}): Promise<ClaimedTask> {
    const { tasks } = await this.claim(said);
    const [task] = tasks;
    assert(task !== undefined && tasks.length === 1, `one task was to be claimed, not ${tasks.length}`);
    return task;
  }

  /** The same with a lease that is to expire. */
  async claimBriefly(said: TrialClaim = {}): Promise<ClaimedTask> {
    return await this.claimOne({ leaseMs: this.subject.leaseMs, ...said });
  }

  /** The ids of what is claimed, in their order. */
  async claimIds(said: TrialClaim = {}): Promise<readonly string[]> {
    return (await this.claim(said)).tasks.map(({ id }) => id);
  }

  async ack({ id, token }: Lease, said: Partial<Ack> = {}): Promise<boolean> {
    const end: Ack = { id, token, outcome: completed(), resultTtlMs: LONG_MS, ...said };
    return only(await this.backend.ack([end]));
  }

  async nack({ id, token }: Lease, said: Partial<Nack> = {}): Promise<boolean> {
    const back: Nack = { id, token, kind: "hand-back", delayMs: 0, error: undefined, ...said };
    return only(await this.backend.nack([back]));
  }

  async bury({ id, token }: Lease, said: Partial<DeadLetter> = {}): Promise<boolean> {
    const rest = { reason: "error", error: STORED_ERROR, charged: true, resultTtlMs: LONG_MS };
    return only(await this.backend.deadLetter([{ id, token, ...rest, ...said }]));
  }

  async extend({ id, token }: Lease, said: Partial<Extension> = {}): Promise<ExtendAnswer> {
    return only(await this.backend.extend([{ id, token, leaseMs: LONG_MS, progress: undefined, ...said }]));
  }

  async cancel(id: string, error = STORED_ERROR): Promise<CancelAnswer> {
    return only(await this.backend.cancel([{ id, error, resultTtlMs: LONG_MS }]));
  }

  async read(id: string): Promise<StoredTask | undefined> {
    return only(await this.backend.inspector.read([id]));
  }

  /** What must be there. */
  async find(id: string): Promise<StoredTask> {
    const task = await this.read(id);
    assert(task !== undefined, `the store was to have ${id}`);
    return task;
  }

  async placeOf(id: string): Promise<StoredPlace | undefined> {
    return (await this.read(id))?.place;
  }

  /** How many there are in each place of a queue, where there are any. */
  async counts(queue = "q"): Promise<Partial<QueueCounts>> {
    const counts = only(await this.backend.inspector.counts([queue]));
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
  }

  /** A new task that has been brought to a place by a holder, whose lease is the answer where it had one. */
  async put(id: string, place: StoredPlace): Promise<Lease> {
    await this.keep(id, { delayMs: place === "delayed" ? LONG_MS : 0 });
    return await this.bring(id, place);
  }

  /** The same with one that was enqueued by itself: of its queue, nothing else is ready. */
  async bring(id: string, place: StoredPlace): Promise<Lease> {
    const isWaiting = place === "ready" || place === "delayed";
    const lease = isWaiting ? { id, token: 0 } : await this.claimOne();
    if (place === "dead") await this.bury(lease);
    if (place === "finished") await this.ack(lease);
    assert.equal(await this.placeOf(id), place);
    return lease;
  }

  /** Whatever is done, nothing that can be seen of these tasks changes, nor how many there are. */
  async unchanged(ids: readonly string[], act: () => Promise<void>): Promise<void> {
    const look = async () => ({
      tasks: await this.backend.inspector.read(ids),
      counts: await this.backend.inspector.counts(["q"]),
    });
    const before = await look();
    await act();
    assert.deepEqual(await look(), before);
  }

  /** Waits for what must come; does `again` from time to time, as long as it does not. */
  async until(condition: () => boolean, what: string, again?: () => Promise<unknown>): Promise<void> {
    const patienceMs = this.subject.patienceMs ?? PATIENCE_MS;
    const until = performance.now() + patienceMs;
    for (let looks = 0; !condition(); looks++) {
      if (performance.now() > until)
        throw new AssertionError({ message: `Not so after ${patienceMs} ms: ${what}` });
      if (looks % 20 === 0) await again?.();
      else await delay(LOOK_EVERY_MS);
    }
  }
}

/** The answer to a call about one task. */
function only<A>(answers: readonly A[]): A {
  assert.equal(answers.length, 1, "there was to be one answer");
  return answers[0] as A;
}
