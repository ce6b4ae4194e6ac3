import { describe, expect, test } from "vitest";
import type { Ack, Backend, ClaimAnswer, ClaimRequest, Lease, Nack, NewTask } from "../../src/index.js";
import { backendConformance } from "../../src/testing/index.js";
import { breakClient, breakInspector, type Fault } from "../support/broken-backend.js";
import { casesCalled, failedCases } from "../support/failed-cases.js";
import { memorySubject } from "../support/memory-subject.js";

/** What is broken, and how the names of the cases begin that must find it. */
type Broken = readonly [what: string, fault: Fault, found: readonly string[]];

const PATIENCE_MS = 60;

const cases = (fault: Fault) =>
  backendConformance({ ...memorySubject((client) => breakClient(client, fault)), patienceMs: PATIENCE_MS });

const asking =
  (exchange: (request: ClaimRequest) => Partial<ClaimRequest>): Fault =>
  (sound) => ({ claim: (request) => sound.claim({ ...request, ...exchange(request) }) });

const answering =
  (exchange: (answer: ClaimAnswer) => Partial<ClaimAnswer>): Fault =>
  (sound) => ({
    claim: async (request) => {
      const answer = await sound.claim(request);
      return { ...answer, ...exchange(answer) };
    },
  });

const taking =
  (exchange: (task: NewTask) => Partial<NewTask>): Fault =>
  (sound) => ({
    enqueue: (requestId, tasks) =>
      sound.enqueue(
        requestId,
        tasks.map((task) => ({ ...task, ...exchange(task) })),
      ),
  });

const acking =
  (exchange: (end: Ack) => Partial<Ack>): Fault =>
  (sound) => ({ ack: (ends) => sound.ack(ends.map((end) => ({ ...end, ...exchange(end) }))) });

const nacking =
  (exchange: (nack: Nack) => Partial<Nack>): Fault =>
  (sound) => ({ nack: (returns) => sound.nack(returns.map((nack) => ({ ...nack, ...exchange(nack) }))) });

/** The same about whoever holds the task now: of those that name this token, where one is given. */
async function asHolder<L extends Lease>(
  { inspector }: Backend,
  leases: readonly L[],
  said?: number,
): Promise<readonly L[]> {
  const tasks = await inspector.read(leases.map(({ id }) => id));
  return leases.map((lease, index) => {
    const task = tasks[index];
    const isMeant =
      task !== undefined && (said === undefined ? task.place === "leased" : lease.token === said);
    return isMeant ? { ...lease, token: task.token } : lease;
  });
}

/** Of what gives but one. */
const TOKEN = 42;

/** What was done is refused when it is done again. */
function once<L extends Lease>(write: (leases: readonly L[]) => Promise<readonly boolean[]>) {
  const done = new Set<string>();
  return async (leases: readonly L[]) => {
    const answers = await write(leases);
    return leases.map(({ id, token }, index) => {
      const isNew = !done.has(`${id} ${token}`);
      done.add(`${id} ${token}`);
      return isNew && answers[index] === true;
    });
  };
}

const calls = { count: 0 };
const anew = () => `anew-${++calls.count}`;

const UNLIMITED = Number.POSITIVE_INFINITY;

const BROKEN: readonly Broken[] = [
  [
    "acks whoever holds the lease",
    (sound) => ({ ack: async (ends) => sound.ack(await asHolder(sound, ends)) }),
    [
      "refuses every write about a task that somebody",
      "refuses every write about a task that its",
      "takes the writes of one",
    ],
  ],
  [
    "nacks whoever holds the lease",
    (sound) => ({ nack: async (all) => sound.nack(await asHolder(sound, all)) }),
    [
      "refuses every write about a task that somebody",
      "refuses every write about a task that its",
      "refuses a nack that is made again",
    ],
  ],
  [
    "buries whoever holds the lease",
    (sound) => ({ deadLetter: async (ends) => sound.deadLetter(await asHolder(sound, ends)) }),
    ["refuses every write about a task that somebody", "refuses every write about a task that its"],
  ],
  [
    "extends whoever holds the lease",
    (sound) => ({ extend: async (all) => sound.extend(await asHolder(sound, all)) }),
    [
      "lets a lease end that",
      "refuses every write about a task that somebody",
      "refuses every write about a task that its",
    ],
  ],
  [
    "gives all leases of a task one token",
    (sound) => ({
      claim: async (request) => {
        const answer = await sound.claim(request);
        return { ...answer, tasks: answer.tasks.map((task) => ({ ...task, token: TOKEN })) };
      },
      ack: async (ends) => sound.ack(await asHolder(sound, ends, TOKEN)),
      nack: async (returns) => sound.nack(await asHolder(sound, returns, TOKEN)),
      deadLetter: async (ends) => sound.deadLetter(await asHolder(sound, ends, TOKEN)),
      extend: async (all) => sound.extend(await asHolder(sound, all, TOKEN)),
    }),
    [
      "has no task any more",
      "leaves the tasks of handlers",
      "gives a task to another",
      "gives each lease a token",
      "lets a lease end that",
      "refuses every write about a task that somebody",
      "refuses every write about a task that its",
      "refuses every write about a task that another",
      "knows by which lease a",
      "refuses a nack that is made again",
      "lets a task that is replayed",
    ],
  ],
  [
    "leases anew when a claim is made again",
    asking(() => ({ requestId: anew() })),
    ["gives the same leases, and", "gives those leases to a", "gives no leases"],
  ],
  [
    "takes a call that is made again for another",
    (sound) => ({ enqueue: (_, tasks) => sound.enqueue(anew(), tasks) }),
    ["keeps nothing", "keeps an id that comes", "replaces the"],
  ],
  [
    "refuses an ack that is made again",
    (sound) => ({ ack: once((ends) => sound.ack(ends)) }),
    ["knows by which lease a", "says of an ack that"],
  ],
  [
    "refuses a nack that is made again",
    (sound) => ({ nack: once((returns) => sound.nack(returns)) }),
    ["says of a nack"],
  ],
  [
    "gives the last first",
    answering(({ tasks }) => ({ tasks: [...tasks].reverse() })),
    [
      "makes all ready that are",
      "gives delayed tasks their place",
      "gives tasks away by priority",
      "gives equals away in the",
      "lets priority outweigh any weight",
      "lets a task keep",
      "gives a task that",
      "takes as many tasks",
      "takes tasks as far as",
      "knows a handler by the",
      "gives the same leases, and",
      "gives those leases to a",
      "lets a task that is replayed",
      "tells the holder of a",
    ],
  ],
  [
    "knows no weight",
    taking(() => ({ weight: 1 })),
    ["gives a task to a claim", "keeps numbers as they are", "gives tasks away by priority"],
  ],
  [
    "knows no priority",
    taking(() => ({ priority: 0 })),
    [
      "gives a task to a claim",
      "keeps numbers as they are",
      "gives delayed tasks their place",
      "gives tasks away by priority",
      "lets priority outweigh any weight",
    ],
  ],
  [
    "lets no lease expire",
    asking(() => ({ leaseMs: 1e9 })),
    [
      "lets go of the key of a task in a crash loop",
      "keeps what a payload was",
      "lets a task keep its place among equals when its",
      "leaves the tasks of handlers",
      "gives a task to another",
      "gives back all that has",
      "says how long it is",
      "tells until when a task",
      "refuses every write about a task that somebody",
      "refuses every write about a task that its",
      "refuses every write about a task that was taken",
      "refuses every write about a task that another",
      "makes a task a dead",
      "begins to",
      "spends no slot, room or",
      "gives a task to nobody again that was to be cancelled, and whose holder lets",
      "leaves what a client had",
    ],
  ],
  [
    "lets leases expire too soon",
    asking(({ leaseMs }) => ({ leaseMs: leaseMs / 5 })),
    ["gives a task to another", "tells until when a task"],
  ],
  [
    "does not extend, and says that it has",
    ({ inspector }) => ({
      extend: async (all) => {
        const tasks = await inspector.read(all.map(({ id }) => id));
        return all.map(({ token }, index) => {
          const task = tasks[index];
          return { held: task?.place === "leased" && task.token === token, cancel: undefined };
        });
      },
    }),
    [
      "keeps payloads",
      "keeps the last progress that",
      "lets a lease",
      "gives those leases to a",
      "does not take an extension",
      "tells the holder of a",
    ],
  ],
  [
    "charges what is handed back",
    nacking(({ kind }) => ({ kind: kind === "hand-back" ? "retry" : kind })),
    ["counts attempts that were retried"],
  ],
  [
    "charges no retry",
    nacking(({ kind }) => ({ kind: kind === "retry" ? "hand-back" : kind })),
    ["counts attempts that were retried", "makes a task a dead letter, once"],
  ],
  [
    "lets a task keep its place that is rescheduled",
    nacking(({ kind }) => ({ kind: kind === "reschedule" ? "hand-back" : kind })),
    ["gives a task that"],
  ],
  ["gives back without a delay", nacking(() => ({ delayMs: 0 })), ["lets a task wait"]],
  ["spends more permits than there are", asking(() => ({ permits: UNLIMITED })), ["takes tasks as far as"]],
  [
    "does not say what a task costs",
    answering(() => ({ stoppedAtCost: undefined })),
    ["takes tasks as far as"],
  ],
  [
    "knows no room of handlers",
    asking(({ handlers }) => ({ handlers: handlers.map((one) => ({ ...one, room: UNLIMITED })) })),
    ["takes as many tasks of"],
  ],
  [
    "has one lane",
    asking(({ handlers }) => ({ handlers: handlers.map((one) => ({ ...one, lane: 0 })) })),
    ["takes as many tasks as"],
  ],
  [
    "gives tasks of other handlers too",
    asking(({ handlers }) => ({ handlers: [...handlers, { name: "rare", lane: 0, room: UNLIMITED }] })),
    ["leaves the tasks of handlers"],
  ],
  [
    "takes payloads for text",
    taking(({ payload }) => ({ payload: throughText(payload) })),
    [
      "keeps payloads, progress and values as they are: every",
      "keeps payloads, progress and values as they are: what is",
      "keeps payloads, progress and values as they are: a mebibyte",
    ],
  ],
  [
    "reads envelopes, and writes them anew",
    taking(({ envelope }) => ({ envelope: throughJson(envelope) })),
    ["keeps envelopes and errors as", "lets a task that is replayed"],
  ],
  [
    "takes no bytes for no value",
    acking(({ outcome }) => ({
      outcome: { ...outcome, value: outcome.value?.length ? outcome.value : undefined },
    })),
    [
      "keeps payloads, progress and values as they are: nothing",
      "keeps the outcome of a task that was acked: a value of",
    ],
  ],
  [
    "charges every ack",
    acking(({ outcome }) => ({ outcome: { ...outcome, charged: true } })),
    [
      "keeps the outcome of a task that was acked: a failure that",
      "keeps the outcome of a task that was acked: a cancellation",
    ],
  ],
  [
    "keeps outcomes for ever",
    acking(() => ({ resultTtlMs: 1e9 })),
    [
      "holds a key beyond the",
      "keeps the outcome of a task as",
      "knows by which lease a",
      "takes an id again when",
    ],
  ],
  [
    "knows no delay",
    taking(() => ({ delayMs: 0 })),
    [
      "says `taken` of the id of a task that is delayed",
      "keeps nothing more when a call is made again whose task is delayed",
      "keeps no second task with the key of one that is delayed",
      "replaces the holder of a key that is delayed",
      "lets go of the key of a delayed",
      "gives no delayed task",
      "gives no task away",
      "makes a task ready by",
      "makes all ready that are",
      "gives delayed tasks their place",
      "leaves what is delayed where",
      "gives a task that is rescheduled its place when",
      "refuses every write about a task that is delayed",
      "ends a task at once that is cancelled while it is delayed",
    ],
  ],
  ["knows no instant", taking(() => ({ runAt: undefined })), ["gives no task away before"]],
  ["knows no life", taking(() => ({ ttlMs: undefined })), ["makes a task ready by"]],
  ["knows no deadline", taking(() => ({ deadlineAt: undefined })), ["makes a task ready by"]],
  [
    "holds keys for nobody",
    taking(() => ({ idempotency: undefined })),
    [
      "puts a dead letter back when its key",
      "puts no dead letter back whose key",
      "lets a dead letter that is put back hold",
      "puts one of several dead letters back",
      "lets go of the key of a task that becomes a dead letter",
      "lets go of the key of a task that fails and leaves",
      "bears ids, queues, handlers and",
      "keeps no second",
      "replaces the",
      "does not replace",
      "takes a key for another",
      "holds a",
      "holds the key",
      "lets go of a key when",
      "takes tasks of one call",
      "keeps one of the tasks",
    ],
  ],
  [
    "holds keys only while their tasks live",
    taking(({ idempotency }) => ({ idempotency: idempotency && { ...idempotency, ttlMs: 0 } })),
    [
      "puts no dead letter back whose key",
      "keeps no second task with the key of one that is dead",
      "keeps no second task with the key of one that is finished",
      "does not replace the holder of a key that is dead",
      "does not replace the holder of a key that is finished",
      "lets go of a key when",
      "holds a key beyond the",
      "holds the key",
    ],
  ],
  [
    "frees no key by a failure",
    taking(({ idempotency }) => ({ idempotency: idempotency && { ...idempotency, onFailure: "hold" } })),
    [
      "puts no dead letter back whose key",
      "puts a dead letter back when its key",
      "puts one of several dead letters back",
      "lets go of the key of a task that becomes a dead letter",
      "lets go of the key of a task that fails and leaves",
      "lets go of the key of a task in a crash loop",
    ],
  ],
  [
    "frees each key by a failure",
    taking(({ idempotency }) => ({ idempotency: idempotency && { ...idempotency, onFailure: "free" } })),
    [
      "keeps no second task with the key of one that is dead",
      "does not replace the holder of a key that is dead",
      "holds the key of a task that becomes a dead letter",
      "holds the key of a task that fails and leaves",
    ],
  ],
  [
    "does not say whose keys others hold",
    (sound) =>
      breakInspector(sound, {
        replay: async (request) => ({ ...(await sound.inspector.replay(request)), held: [] }),
      }),
    ["puts no dead letter back whose key", "puts one of several dead letters back"],
  ],
  [
    "reads keys loosely",
    taking(({ idempotency }) => ({
      idempotency: idempotency && { ...idempotency, key: idempotency.key.trim().toLowerCase() },
    })),
    ["takes a key for another"],
  ],
  [
    "replaces nobody",
    taking(({ idempotency }) => ({
      idempotency:
        idempotency?.onDuplicate === "replace" ? { ...idempotency, onDuplicate: "keep" } : idempotency,
    })),
    ["replaces the", "takes tasks of one call"],
  ],
  [
    "delivers for ever",
    taking(() => ({ maxDeliveries: 1e9 })),
    [
      "lets go of the key of a task in a crash loop",
      "leaves the tasks of handlers",
      "makes a task a dead",
      "does not take an extension",
      "spends no slot, room or",
    ],
  ],
  [
    "does not tell of crash loops",
    answering(() => ({ crashed: [] })),
    [
      "lets go of the key of a task in a crash loop",
      "leaves the tasks of handlers",
      "makes a task a dead",
      "does not take an extension",
      "spends no slot, room or",
    ],
  ],
  [
    "does not say how many it has taken back",
    answering(() => ({ reclaimed: 0 })),
    ["gives a task to another", "makes a task a dead"],
  ],
  [
    "does not say when more is due",
    answering(() => ({ nextDueMs: undefined })),
    [
      "gives no delayed task away",
      "makes all ready that are",
      "gives back all that has",
      "says how long it is",
      "lets a task wait",
    ],
  ],
  [
    "tells no attempts",
    answering(({ tasks }) => ({ tasks: tasks.map((task) => ({ ...task, attempts: 0 })) })),
    ["counts attempts that were retried", "makes a task a dead letter, once"],
  ],
  [
    "says that a dead letter was put back when it came",
    answering(({ tasks }) => ({
      tasks: tasks.map((task) => ({ ...task, replayedAt: task.replayedAt && task.enqueuedAt })),
    })),
    ["tells when a dead letter was put back"],
  ],
  [
    "answers a claim that is made again as if no time had passed",
    (sound) => {
      const claimedAt = new Map<string, number>();
      return {
        claim: async (request) => {
          const answer = await sound.claim(request);
          const first = claimedAt.get(request.requestId) ?? answer.tasks[0]?.claimedAt ?? 0;
          claimedAt.set(request.requestId, first);
          return { ...answer, tasks: answer.tasks.map((task) => ({ ...task, claimedAt: first })) };
        },
      };
    },
    ["gives those leases to a claim"],
  ],
  [
    "answers as if no time had passed",
    answering(({ tasks }) => ({ tasks: tasks.map((task) => ({ ...task, claimedAt: task.enqueuedAt })) })),
    [
      "tells how long a task was there",
      "gives those leases to a claim",
      "tells when a dead letter was put back",
    ],
  ],
  [
    "tells no attempts of what it gives up",
    answering(({ crashed }) => ({ crashed: crashed.map((one) => ({ ...one, attempts: 0 })) })),
    ["makes a task a dead letter, once"],
  ],
  [
    "keeps no dead letters",
    (sound) => ({
      deadLetter: (ends) =>
        sound.ack(
          ends.map(({ reason, error, charged, ...end }) => ({
            ...end,
            outcome: { state: "failed", reason, value: undefined, error, charged },
          })),
        ),
    }),
    [
      "puts no dead letter back whose key",
      "puts a dead letter back when its key",
      "puts one of several dead letters back",
      "lets a dead letter that is put back hold",
      "says `taken` of the id of a task that is dead",
      "keeps nothing more when a call is made again whose task is dead",
      "keeps no second task with the key of one that is dead",
      "does not replace the holder of a key that is dead",
      "refuses every other write of a lease that has ended with ack",
      "refuses every other write of a lease that has ended with deadLetter",
      "keeps a dead letter with",
      "puts those dead letters back",
      "tells when a dead letter was put back",
      "lets a task that is replayed",
      "puts a thousand dead letters",
      "puts each dead letter back",
      "leaves no dead letter behind",
      "drops the oldest dead letters",
      "keeps as many dead letters",
      "drops dead letters that are",
      "leaves a task alone that is dead",
      "tells all that listen of a dead",
      "forgets that a task was",
    ],
  ],
  [
    "tells no holder of a cancellation",
    (sound) => ({
      extend: async (all) => (await sound.extend(all)).map(({ held }) => ({ held, cancel: undefined })),
    }),
    ["tells the holder of a"],
  ],
  [
    "forgets who asked for a cancellation",
    (sound) => ({
      cancel: async (all) => {
        const tasks = await sound.inspector.read(all.map(({ id }) => id));
        const waiting = all.filter((_, index) => tasks[index]?.place !== "leased");
        const answers = [...(await sound.cancel(waiting))];
        return all.map((_, index) =>
          tasks[index]?.place === "leased" ? "asked" : (answers.shift() ?? "unknown"),
        );
      },
    }),
    ["tells the holder of a", "gives a task to nobody", "tells all that listen of a task whose"],
  ],
  [
    "answers batches from the end",
    (sound) => ({ ack: async (ends) => [...(await sound.ack(ends))].reverse() }),
    ["takes the writes of one"],
  ],
  [
    "acks nothing of a batch that holds one stale lease",
    (sound) => ({
      ack: async (ends) => {
        const tasks = await sound.inspector.read(ends.map(({ id }) => id));
        const isStale = ends.some(({ token }, index) => tasks[index] && tasks[index]?.token !== token);
        return isStale ? ends.map(() => false) : await sound.ack(ends);
      },
    }),
    ["takes the writes of one"],
  ],
  [
    "loses progress",
    (sound) => ({ extend: (all) => sound.extend(all.map((one) => ({ ...one, progress: undefined }))) }),
    ["keeps payloads", "keeps the last progress that"],
  ],
  [
    "replays whatever is dead",
    (sound) =>
      breakInspector(sound, {
        replay: ({ queue }) =>
          sound.inspector.replay({ queue, ids: undefined, handler: undefined, reason: undefined }),
      }),
    ["puts those dead letters back", "leaves no dead letter behind", "drops the oldest dead letters"],
  ],
  [
    "gives payloads that nobody asked for",
    (sound) => breakInspector(sound, { read: (ids) => sound.inspector.read(ids) }),
    ["reads tasks without their payloads"],
  ],
  [
    "never says that there is more to replay",
    (sound) =>
      breakInspector(sound, {
        replay: async (request) => ({ ...(await sound.inspector.replay(request)), more: false }),
      }),
    ["puts a thousand dead letters"],
  ],
  [
    "tells nothing",
    () => ({ signals: { listen: () => () => {} } }),
    ["tells all", "tells nothing of other queues", "goes on when a listener"],
  ],
  [
    "does not stop to tell",
    (sound) => ({
      signals: {
        listen: (queues, listener) => {
          sound.signals.listen(queues, listener);
          return () => {};
        },
      },
    }),
    ["tells nothing of other queues"],
  ],
  [
    "tells of all queues",
    (sound) => ({
      signals: { listen: (queues, listener) => sound.signals.listen([...queues, "q"], listener) },
    }),
    ["tells nothing of other queues"],
  ],
  ["works on when it was closed", () => ({ close: async () => {} }), ["rejects all calls of a"]],
];

function throughText(payload: Uint8Array): Uint8Array {
  return new TextEncoder().encode(new TextDecoder().decode(payload));
}

function throughJson(envelope: string): string {
  try {
    return JSON.stringify(JSON.parse(envelope));
  } catch {
    return envelope;
  }
}

describe("the conformance suite of backends, given one that", () => {
  test.each(BROKEN)("%s, fails the cases that are about that, and no other", async (_, fault, found) => {
    const all = cases(fault);
    const failed = await failedCases(all);
    expect(failed).toEqual(casesCalled(all, found));
    expect(failed).not.toEqual([]);
  });

  test("is sound, fails none", async () => {
    expect(await failedCases(cases(() => ({})))).toEqual([]);
  });
});
