import type { MemoryStore } from "../../src/adapters/memory/memory-store.js";
import type {
  Backend,
  ClaimAnswer,
  EnqueueAnswer,
  ExtendAnswer,
  Lease,
  Nack,
  NewTask,
} from "../../src/ports/backend.js";
import type { Answer, Call } from "./calls.js";
import type { Chance } from "./chance.js";
import type { SimulatedProcess } from "./simulated-process.js";
import { executeCall } from "./simulated-store.js";
import type { Mutant } from "./simulation.js";

/** One rule that is broken, and the invariants of which any says so. */
export interface NamedMutant {
  readonly name: string;
  readonly breaks: readonly string[];
  readonly mutant: Mutant;
}

/** Of what a process does that counts from the reply, a call that takes long shows most. */
const SLOW_REPLY_MS = 200;

const KEPT: EnqueueAnswer = { outcome: "kept", replaced: undefined };

/** Faults of the store. */
const STORE: readonly NamedMutant[] = [
  {
    name: "the token is not compared in ack",
    breaks: ["I4", "I8"],
    mutant: asking((store, call) =>
      call.method === "ack" ? { ...call, args: [withPresentToken(store, call.args[0])] } : call,
    ),
  },
  {
    name: "the token is not compared in nack",
    breaks: ["I4"],
    mutant: asking((store, call) =>
      call.method === "nack" ? { ...call, args: [withPresentToken(store, call.args[0])] } : call,
    ),
  },
  {
    name: "the token is not compared in deadLetter",
    breaks: ["I4"],
    mutant: asking((store, call) =>
      call.method === "deadLetter" ? { ...call, args: [withPresentToken(store, call.args[0])] } : call,
    ),
  },
  {
    name: "the token is not compared in extend",
    breaks: ["I4"],
    mutant: asking((store, call) =>
      call.method === "extend" ? { ...call, args: [withPresentToken(store, call.args[0])] } : call,
    ),
  },
  {
    name: "a claim that is made again leases anew",
    breaks: ["I6"],
    mutant: asking((_, call) =>
      call.method === "claim" ? { ...call, args: [{ ...call.args[0], requestId: unheardOf() }] } : call,
    ),
  },
  {
    name: "a duplicate is said to have been kept",
    breaks: ["I1"],
    mutant: {
      execute: (store, call) => {
        if (call.method !== "enqueue") return executeCall(store, call);
        const answers = store.enqueue(...call.args);
        return answers.map((answer) => (answer.outcome === "duplicate" ? KEPT : answer));
      },
    },
  },
  {
    name: "leases end sooner than they were asked for",
    breaks: ["I3", "I6"],
    mutant: asking((_, call) =>
      call.method === "claim"
        ? { ...call, args: [{ ...call.args[0], leaseMs: call.args[0].leaseMs / 4 }] }
        : call,
    ),
  },
  {
    name: "leases never end",
    breaks: ["I16"],
    mutant: asking((_, call) =>
      call.method === "claim" ? { ...call, args: [{ ...call.args[0], leaseMs: 1e9 }] } : call,
    ),
  },
  {
    name: "a hand-back is charged",
    breaks: ["I6"],
    mutant: asking((_, call) =>
      call.method === "nack" ? { ...call, args: [call.args[0].map(charged)] } : call,
    ),
  },
  {
    name: "idempotency keys are not looked at",
    breaks: ["I2"],
    mutant: asking((_, call) => {
      if (call.method !== "enqueue") return call;
      const [requestId, tasks] = call.args;
      return { ...call, args: [requestId, tasks.map((task) => ({ ...task, idempotency: undefined }))] };
    }),
  },
  {
    name: "tasks are delivered without end",
    breaks: ["I5"],
    mutant: asking((_, call) => {
      if (call.method !== "enqueue") return call;
      const [requestId, tasks] = call.args;
      return { ...call, args: [requestId, tasks.map((task) => ({ ...task, maxDeliveries: 1_000 }))] };
    }),
  },
  {
    name: "what is accepted is kept once more",
    breaks: ["I7"],
    mutant: {
      execute: (store, call) => {
        if (call.method === "enqueue") store.enqueue("again", call.args[1].map(renamed));
        return executeCall(store, call);
      },
    },
  },
  {
    name: "what is accepted is not kept",
    breaks: ["I1"],
    mutant: {
      execute: (store, call) => {
        if (call.method !== "enqueue" || !call.args[0].endsWith("-2")) return executeCall(store, call);
        return call.args[1].map(() => KEPT);
      },
    },
  },
];

/** Faults of a process that runs tasks. */
const PROCESS: readonly NamedMutant[] = [
  {
    name: "a lease is trusted from the reply to its claim",
    breaks: ["I3"],
    mutant: wrapping((backend, late) => ({
      claim: (request) =>
        late((by): Promise<ClaimAnswer> => backend.claim({ ...request, leaseMs: request.leaseMs - by })),
    })),
  },
  {
    name: "a lease is trusted from the reply to its renewal",
    breaks: ["I3"],
    mutant: wrapping((backend, late) => ({
      extend: (extensions) =>
        late((by) => backend.extend(extensions.map((one) => ({ ...one, leaseMs: one.leaseMs - by })))),
    })),
  },
  {
    name: "renewals are believed, and not sent",
    breaks: ["I3"],
    mutant: wrapping(() => ({
      extend: async (extensions): Promise<readonly ExtendAnswer[]> =>
        extensions.map(() => ({ held: true, cancel: undefined })),
    })),
  },
  {
    name: "nothing is renewed",
    breaks: ["I6"],
    mutant: wrapping(() => ({ extend: () => new Promise(() => {}) })),
  },
  {
    name: "an ack is reported before it is confirmed",
    breaks: ["I8"],
    mutant: wrapping((backend) => ({
      ack: async (ends) => {
        backend.ack(ends).catch(() => {});
        return ends.map(() => true);
      },
    })),
  },
  {
    name: "what was interrupted is given back as failed",
    breaks: ["I6"],
    mutant: wrapping((backend) => ({ nack: (returns) => backend.nack(returns.map(charged)) })),
  },
  {
    name: "what failed is given back as interrupted",
    breaks: ["I6"],
    mutant: wrapping((backend) => ({
      nack: (returns) => backend.nack(returns.map((nack) => ({ ...nack, kind: "hand-back" }))),
    })),
  },
  {
    name: "a refused settlement is taken for a confirmed one",
    breaks: ["I8"],
    mutant: wrapping((backend) => ({
      ack: async (ends) => (await backend.ack(ends)).map(() => true),
    })),
  },
];

export const MUTANTS: readonly NamedMutant[] = [...STORE, ...PROCESS];

let unheard = 0;

function unheardOf(): string {
  return `unheard-of-${++unheard}`;
}

function renamed(task: NewTask): NewTask {
  return { ...task, id: `${task.id}-again`, delayMs: 60_000 };
}

function charged(nack: Nack): Nack {
  return nack.kind === "hand-back" ? { ...nack, kind: "retry" } : nack;
}

/** The same lease with the token that the store has now: as if nobody compared. */
function withPresentToken<T extends Lease>(store: MemoryStore, writes: readonly T[]): readonly T[] {
  const found = store.read(writes.map(({ id }) => id));
  return writes.map((write, index) => ({ ...write, token: found[index]?.token ?? write.token }));
}

/** A store that does something else than it was asked to do. */
function asking(change: (store: MemoryStore, call: Call) => Call): Mutant {
  return { execute: (store, call): Answer => executeCall(store, change(store, call)) };
}

/** Lets a call's answer come later than it did, and says by how much beforehand. */
type Late = <R>(call: (byMs: number) => Promise<R>) => Promise<R>;

/** A backend some calls of which are not what they should be. */
function wrapping(change: (backend: Backend, late: Late) => Partial<Backend>): Mutant {
  return {
    wrapBackend: (backend, process, chance) => ({
      ...passingOn(backend),
      ...change(backend, lateness(process, chance)),
    }),
  };
}

function lateness(process: SimulatedProcess, chance: Chance): Late {
  return async (call) => {
    const byMs = chance.happens(0.5) ? chance.between(0, SLOW_REPLY_MS) : 0;
    const answer = await call(byMs);
    if (byMs > 0) await new Promise<void>((resolve) => process.clock.setTimeout(resolve, byMs));
    return answer;
  };
}

function passingOn(backend: Backend): Backend {
  return {
    signals: backend.signals,
    inspector: backend.inspector,
    enqueue: (...args) => backend.enqueue(...args),
    claim: (...args) => backend.claim(...args),
    extend: (...args) => backend.extend(...args),
    ack: (...args) => backend.ack(...args),
    nack: (...args) => backend.nack(...args),
    deadLetter: (...args) => backend.deadLetter(...args),
    cancel: (...args) => backend.cancel(...args),
    close: () => backend.close(),
  };
}
