import type {
  CancelAnswer,
  ClaimRequest,
  CrashedTask,
  EnqueueAnswer,
  HeldDeadLetter,
  Lease,
  NackKind,
  NewTask,
  ReplayAnswer,
  StoredPlace,
} from "../../../src/index.js";

/** A task in the model. Whatever is kept here is kept once: a place is a field, and lines are sorted. */
export interface ModelTask {
  readonly task: NewTask;
  readonly requestId: string;
  readonly replaced: string | undefined;
  place: StoredPlace;
  state: "completed" | "failed" | "cancelled" | undefined;
  sequence: number;
  /** The order in which tasks came to where they are. */
  move: number;
  attempts: number;
  deliveries: number;
  token: number;
  dueAt: number;
  expiresAt: number;
  settledBy: string | undefined;
  isUnwanted: boolean;
}

/** The simplest store that can be right: one list of tasks, looked through and sorted at every call. */
export class ModelStore {
  readonly tasks = new Map<string, ModelTask>();
  readonly #keys = new Map<string, string>();
  readonly #claims = new Map<string, { readonly leases: readonly Lease[]; readonly knownUntil: number }>();
  now: number;
  #sequence = 0;
  #moves = 0;

  constructor(now: number) {
    this.now = now;
  }

  at(place: StoredPlace): readonly ModelTask[] {
    return [...this.tasks.values()].filter((one) => one.place === place);
  }

  enqueue(requestId: string, task: NewTask): EnqueueAnswer {
    const known = this.tasks.get(task.id);
    if (known?.requestId === requestId) return { outcome: "kept", replaced: known.replaced };
    if (known !== undefined) return { outcome: "taken", id: task.id };
    const key = task.idempotency && `${task.handler} ${task.idempotency.key}`;
    const holderId = key && this.#keys.get(key);
    const holder = holderId === undefined ? undefined : this.tasks.get(holderId);
    if (holder !== undefined && task.idempotency?.onDuplicate === "reject")
      return { outcome: "taken", id: holder.task.id };
    const isReplaced =
      task.idempotency?.onDuplicate === "replace" && holder !== undefined && isWaiting(holder);
    if (holder !== undefined && !isReplaced) return { outcome: "duplicate", id: holder.task.id };
    if (holder !== undefined) this.end(holder, "cancelled", "finished");
    const replaced = holder?.task.id;
    const added: ModelTask = {
      ...{ task, requestId, replaced, place: "ready", state: undefined, sequence: 0, move: 0 },
      ...{ attempts: 0, deliveries: 0, token: 0, dueAt: 0, expiresAt: 0 },
      ...{ settledBy: undefined, isUnwanted: false },
    };
    this.tasks.set(task.id, added);
    if (key !== undefined) this.#keys.set(key, task.id);
    this.#wait(added, task.delayMs);
    return { outcome: "kept", replaced };
  }

  claim(request: ClaimRequest) {
    const before = this.#claims.get(request.requestId);
    if (before !== undefined && before.knownUntil > this.now)
      return { leases: before.leases.filter((lease) => this.held(lease)), crashed: [] };
    for (const one of this.at("delayed").toSorted((a, b) => a.dueAt - b.dueAt || a.move - b.move))
      if (one.dueAt <= this.now) this.#makeReady(one);
    let reclaimed = 0;
    for (const one of this.at("leased")) {
      if (one.expiresAt > this.now) continue;
      reclaimed++;
      if (one.isUnwanted) this.end(one, "cancelled", "finished");
      else this.#makeReady(one);
    }
    return { ...this.#lease(request), reclaimed };
  }

  #lease({ requestId, handlers, slots, permits, leaseMs }: ClaimRequest) {
    const free = [...slots];
    const room = new Map(handlers.map(({ name, room }) => [name, room]));
    const lanes = new Map(handlers.map(({ name, lane }) => [name, lane]));
    const leases: Lease[] = [];
    const crashed: CrashedTask[] = [];
    let stoppedAtCost: number | undefined;
    let left = permits;
    const ready = this.at("ready").toSorted(
      (a, b) => a.task.priority - b.task.priority || b.task.weight - a.task.weight || a.sequence - b.sequence,
    );
    for (const one of ready) {
      const { handler, cost, id, maxDeliveries } = one.task;
      const lane = lanes.get(handler) ?? -1;
      const roomLeft = room.get(handler) ?? 0;
      if (roomLeft < 1 || (free[lane] ?? 0) < 1) continue;
      if (one.deliveries >= maxDeliveries) {
        crashed.push({ id, handler, deliveries: one.deliveries, attempts: one.attempts });
        this.end(one, "failed", "dead");
        continue;
      }
      if (cost > left) {
        stoppedAtCost = cost;
        break;
      }
      left -= cost;
      free[lane] = (free[lane] ?? 0) - 1;
      room.set(handler, roomLeft - 1);
      one.deliveries++;
      one.token = Math.max(one.token + 1, this.now * 1_000);
      one.place = "leased";
      one.settledBy = undefined;
      one.expiresAt = this.now + leaseMs;
      leases.push({ id, token: one.token });
    }
    this.#claims.set(requestId, { leases, knownUntil: this.now + 60_000 });
    return { leases, crashed, stoppedAtCost };
  }

  held({ id, token }: Lease): ModelTask | undefined {
    const one = this.tasks.get(id);
    return one?.place === "leased" && one.token === token ? one : undefined;
  }

  isDone({ id, token }: Lease, settlement: string): boolean {
    const one = this.tasks.get(id);
    return one?.token === token && one.settledBy === settlement;
  }

  extend(lease: Lease, leaseMs: number): boolean {
    const one = this.held(lease);
    if (one !== undefined) one.expiresAt = this.now + leaseMs;
    return one !== undefined;
  }

  ack(lease: Lease): boolean {
    const one = this.held(lease);
    if (one === undefined) return this.isDone(lease, "ack");
    this.#settle(one, "ack");
    one.attempts++;
    this.end(one, "completed", "finished");
    return true;
  }

  deadLetter(lease: Lease): boolean {
    const one = this.held(lease);
    if (one === undefined) return this.isDone(lease, "dead-letter");
    this.#settle(one, "dead-letter");
    one.attempts++;
    this.end(one, "failed", "dead");
    return true;
  }

  nack(lease: Lease, kind: NackKind, delayMs: number): boolean {
    const one = this.held(lease);
    if (one === undefined) return this.isDone(lease, "nack");
    this.#settle(one, "nack");
    if (kind === "retry") one.attempts++;
    if (kind === "reschedule") one.sequence = 0;
    if (one.isUnwanted) this.end(one, "cancelled", "finished");
    else this.#wait(one, delayMs);
    return true;
  }

  cancel(id: string): CancelAnswer {
    const one = this.tasks.get(id);
    if (one === undefined) return "unknown";
    if (isWaiting(one)) {
      this.end(one, "cancelled", "finished");
      return "cancelled";
    }
    if (one.place !== "leased") return "ended";
    one.isUnwanted = true;
    return "asked";
  }

  replay(): Omit<ReplayAnswer, "more"> {
    const replayed: string[] = [];
    const held: HeldDeadLetter[] = [];
    for (const one of this.at("dead").toSorted((a, b) => a.move - b.move)) {
      const { handler, id, idempotency } = one.task;
      const key = idempotency && `${handler} ${idempotency.key}`;
      const heldBy = key === undefined ? undefined : this.#keys.get(key);
      if (heldBy !== undefined && heldBy !== id) {
        held.push({ id, heldBy });
        continue;
      }
      if (key !== undefined) this.#keys.set(key, id);
      Object.assign(one, { attempts: 0, deliveries: 0, sequence: 0, settledBy: undefined, state: undefined });
      this.#makeReady(one);
      replayed.push(id);
    }
    return { replayed, held };
  }

  end(one: ModelTask, state: "completed" | "failed" | "cancelled", place: "dead" | "finished"): void {
    Object.assign(one, { place, state, isUnwanted: false, move: ++this.#moves });
    const { idempotency, handler, id } = one.task;
    const key = idempotency && `${handler} ${idempotency.key}`;
    const frees = state === "cancelled" || (state === "failed" && idempotency?.onFailure === "free");
    if (key && frees && this.#keys.get(key) === id) this.#keys.delete(key);
  }

  #settle(one: ModelTask, settlement: string): void {
    one.settledBy = settlement;
    one.deliveries = 0;
  }

  #wait(one: ModelTask, delayMs: number): void {
    if (delayMs === 0) this.#makeReady(one);
    else Object.assign(one, { place: "delayed", dueAt: this.now + delayMs, move: ++this.#moves });
  }

  #makeReady(one: ModelTask): void {
    one.place = "ready";
    if (one.sequence === 0) one.sequence = ++this.#sequence;
  }
}

function isWaiting({ place }: ModelTask): boolean {
  return place === "ready" || place === "delayed";
}
