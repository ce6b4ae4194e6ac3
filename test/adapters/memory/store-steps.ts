import fc from "fast-check";
import { expect } from "vitest";
import type { Backend, ClaimRequest, Lease, NackKind, NewTask } from "../../../src/index.js";
import type { ManualClock } from "../../../src/testing/index.js";
import type { ModelStore } from "./store-model.js";

/** The store under test with its clients, and what these remember. */
export interface Real {
  readonly clients: readonly Backend[];
  readonly clock: ManualClock;
  /** Of every claim that was ever answered: most are stale after a while. */
  readonly leases: Lease[];
  readonly enqueued: { readonly requestId: string; readonly task: NewTask }[];
  readonly claimed: ClaimRequest[];
  /** The largest token that each task was ever given. */
  readonly tokens: Map<string, number>;
  calls: number;
  steps: { count: number };
}

export const LEASE_MS = 1_000;
const LONG_MS = 600_000;

const HANDLERS = ["work", "other"];

abstract class Step implements fc.AsyncCommand<ModelStore, Real> {
  readonly #client: number;

  constructor(client: number) {
    this.#client = client;
  }

  check(): boolean {
    return true;
  }

  async run(model: ModelStore, real: Real): Promise<void> {
    const client = real.clients[this.#client % real.clients.length] as Backend;
    await this.take(model, real, client);
    await compare(model, client);
    real.steps.count++;
  }

  abstract take(model: ModelStore, real: Real, client: Backend): Promise<void>;

  toString(): string {
    return `${this.constructor.name}(${JSON.stringify(this)})`;
  }
}

/** All that can be seen of the store is what the model says: each task is in one place, and none is lost. */
async function compare(model: ModelStore, { inspector }: Backend): Promise<void> {
  const ids = [...model.tasks.keys()];
  const found = await inspector.read(ids);
  const seen = found.map((task) => {
    if (task === undefined) return undefined;
    const { id, place, attempts, deliveries, token, until, outcome } = task;
    return { id, place, attempts, deliveries, token, until, state: outcome?.state };
  });
  const expected = [...model.tasks.values()].map((one) => {
    const { place, attempts, deliveries, token, state } = one;
    const until = place === "delayed" ? one.dueAt : place === "leased" ? one.expiresAt : undefined;
    return { id: one.task.id, place, attempts, deliveries, token, until, state };
  });
  expect(seen).toEqual(expected);
  const [counts] = await inspector.counts(["q"]);
  for (const place of ["ready", "delayed", "leased", "dead", "finished"] as const)
    expect(counts?.[place], place).toBe(model.at(place).length);
}

export class Enqueue extends Step {
  readonly number: number;
  readonly said: Partial<NewTask>;

  constructor(client: number, number: number, said: Partial<NewTask>) {
    super(client);
    this.number = number;
    this.said = said;
  }

  async take(model: ModelStore, real: Real, client: Backend): Promise<void> {
    const task: NewTask = {
      ...{ id: `q:${this.number}`, handler: "work", payload: new Uint8Array([this.number]), envelope: "{}" },
      ...{ priority: 0, weight: 1, cost: 1, maxDeliveries: 2, delayMs: 0, runAt: undefined },
      ...{ idempotency: undefined, ...this.said },
    };
    const requestId = `enqueue-${++real.calls}`;
    real.enqueued.push({ requestId, task });
    expect(await client.enqueue(requestId, [task])).toEqual([model.enqueue(requestId, task)]);
  }
}

export class EnqueueAgain extends Step {
  readonly which: number;

  constructor(client: number, which: number) {
    super(client);
    this.which = which;
  }

  async take(model: ModelStore, real: Real, client: Backend): Promise<void> {
    const { requestId, task } = real.enqueued[this.which % real.enqueued.length] ?? {};
    if (requestId === undefined || task === undefined) return;
    expect(await client.enqueue(requestId, [task])).toEqual([model.enqueue(requestId, task)]);
  }
}

async function claim(model: ModelStore, real: Real, client: Backend, request: ClaimRequest): Promise<void> {
  const expected = model.claim(request);
  const answer = await client.claim(request);
  const leases = answer.tasks.map(({ id, token }) => ({ id, token }));
  expect(leases).toEqual(expected.leases);
  const isNew = "reclaimed" in expected;
  if (!isNew) return;
  expect([answer.crashed, answer.reclaimed]).toEqual([expected.crashed, expected.reclaimed]);
  expect(answer.stoppedAtCost).toBe(expected.stoppedAtCost);
  for (const { id, token, payload, deliveries } of answer.tasks) {
    expect(token).toBeGreaterThan(real.tokens.get(id) ?? 0);
    expect([...payload]).toEqual([...(model.tasks.get(id)?.task.payload ?? [])]);
    expect(deliveries).toBeLessThanOrEqual(model.tasks.get(id)?.task.maxDeliveries ?? 0);
    real.tokens.set(id, token);
  }
  real.leases.push(...leases);
}

export class Claim extends Step {
  readonly slots: readonly number[];
  readonly permits: number;
  readonly rooms: readonly number[];

  constructor(client: number, slots: readonly number[], permits: number, rooms: readonly number[]) {
    super(client);
    this.slots = slots;
    this.permits = permits;
    this.rooms = rooms;
  }

  async take(model: ModelStore, real: Real, client: Backend): Promise<void> {
    const request: ClaimRequest = {
      ...{ requestId: `claim-${++real.calls}`, queue: "q", leaseMs: LEASE_MS },
      handlers: this.rooms.map((room, lane) => ({ name: HANDLERS[lane] as string, lane, room })),
      ...{ slots: this.slots, permits: this.permits },
    };
    real.claimed.push(request);
    await claim(model, real, client, request);
  }
}

export class ClaimAgain extends Step {
  async take(model: ModelStore, real: Real, client: Backend): Promise<void> {
    const request = real.claimed.at(-1);
    if (request !== undefined) await claim(model, real, client, request);
  }
}

/** A write by any lease that was ever given, or with a token that never was. */
export class Write extends Step {
  readonly which: number;
  readonly kind: "ack" | "deadLetter" | "extend" | NackKind;
  readonly delayMs: number;
  readonly isForged: boolean;

  constructor(client: number, which: number, kind: Write["kind"], delayMs: number, isForged: boolean) {
    super(client);
    this.which = which;
    this.kind = kind;
    this.delayMs = delayMs;
    this.isForged = isForged;
  }

  async take(model: ModelStore, real: Real, client: Backend): Promise<void> {
    // From the last one back, so that the present ones are met often.
    const given = real.leases.at(-1 - (this.which % Math.max(1, real.leases.length)));
    if (given === undefined) return;
    const lease = this.isForged ? { ...given, token: given.token + 1 } : given;
    expect(await this.#write(client, lease)).toBe(this.#expect(model, lease));
  }

  async #write(client: Backend, lease: Lease): Promise<boolean | undefined> {
    const { kind, delayMs } = this;
    const resultTtlMs = LONG_MS;
    if (kind === "extend")
      return (await client.extend([{ ...lease, leaseMs: LEASE_MS, progress: undefined }]))[0]?.held;
    if (kind === "ack") {
      const outcome = { state: "completed", reason: undefined, value: undefined, error: undefined } as const;
      return (await client.ack([{ ...lease, outcome: { ...outcome, charged: true }, resultTtlMs }]))[0];
    }
    if (kind === "deadLetter")
      return (
        await client.deadLetter([{ ...lease, reason: "error", error: "{}", charged: true, resultTtlMs }])
      )[0];
    return (await client.nack([{ ...lease, kind, delayMs, error: undefined }]))[0];
  }

  #expect(model: ModelStore, lease: Lease): boolean {
    const { kind, delayMs } = this;
    if (kind === "extend") return model.extend(lease, LEASE_MS);
    if (kind === "ack") return model.ack(lease);
    return kind === "deadLetter" ? model.deadLetter(lease) : model.nack(lease, kind, delayMs);
  }
}

export class Cancel extends Step {
  readonly number: number;

  constructor(client: number, number: number) {
    super(client);
    this.number = number;
  }

  async take(model: ModelStore, _: Real, client: Backend): Promise<void> {
    const id = `q:${this.number}`;
    expect(await client.cancel([{ id, error: "{}", resultTtlMs: LONG_MS }])).toEqual([model.cancel(id)]);
  }
}

export class Replay extends Step {
  async take(model: ModelStore, _: Real, client: Backend): Promise<void> {
    const request = { queue: "q", ids: undefined, handler: undefined, reason: undefined };
    expect(await client.inspector.replay(request)).toEqual({ ...model.replay(), more: false });
  }
}

export class Pass extends Step {
  readonly ms: number;

  constructor(client: number, ms: number) {
    super(client);
    this.ms = ms;
  }

  async take(model: ModelStore, { clock }: Real): Promise<void> {
    clock.shiftWall(this.ms);
    model.now += this.ms;
  }
}

const client = fc.nat(2);
const number = fc.nat(11);
const delayMs = fc.constantFrom(0, 0, 0, 500, 1_500);
const idempotency = fc.option(
  fc.record({
    key: fc.constantFrom("a", "b"),
    ttlMs: fc.constant(LONG_MS),
    onDuplicate: fc.constantFrom("keep" as const, "replace" as const, "reject" as const),
    onFailure: fc.constantFrom("hold" as const, "free" as const),
  }),
  { nil: undefined, freq: 2 },
);
const said = fc.record({
  handler: fc.constantFrom(...HANDLERS),
  priority: fc.integer({ min: -1, max: 1 }),
  weight: fc.integer({ min: 1, max: 2 }),
  cost: fc.constantFrom(1, 1, 3),
  maxDeliveries: fc.integer({ min: 1, max: 3 }),
  delayMs,
  idempotency,
});
const few = fc.array(fc.nat(3), { minLength: 2, maxLength: 2 });
const permits = fc.constantFrom(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 2, 4);
const kind = fc.constantFrom<Write["kind"][]>(
  ...(["ack", "deadLetter", "extend", "retry", "reschedule", "hand-back"] as const),
);

const enqueue = fc.tuple(client, number, said).map((parts) => new Enqueue(...parts));
const claimOne = fc.tuple(client, few, permits, few).map((parts) => new Claim(...parts));
const write = fc
  .tuple(
    client,
    fc.nat(12),
    kind,
    delayMs,
    fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
  )
  .map((parts) => new Write(...parts));

/** What clients do to a store, and time. */
export const storeSteps = fc.commands(
  [
    ...[enqueue, enqueue, claimOne, claimOne, write, write, write],
    fc.tuple(client, fc.nat(20)).map((parts) => new EnqueueAgain(...parts)),
    client.map((one) => new ClaimAgain(one)),
    fc.tuple(client, number).map((parts) => new Cancel(...parts)),
    client.map((one) => new Replay(one)),
    fc.tuple(client, fc.constantFrom(1, 300, 700, 1_200)).map((parts) => new Pass(...parts)),
    fc.tuple(client, fc.constantFrom(300, 1_200)).map((parts) => new Pass(...parts)),
  ],
  { maxCommands: 60, size: "max" },
);
