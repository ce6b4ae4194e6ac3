import { expect, test } from "vitest";
import { HeldLease } from "../../../src/core/durable/held-lease.js";
import { LeaseKeeper } from "../../../src/core/durable/lease-keeper.js";
import { toLeaseTerms } from "../../../src/core/durable/lease-terms.js";
import type { ClaimedTask } from "../../../src/ports/backend.js";
import { ManualClock } from "../../../src/testing/manual-clock.js";
import { seededRandom } from "../../../src/testing/seeded-random.js";

const LEASE_MS = 900;

function claimed(id: string, token: number): HeldLease {
  const task: ClaimedTask = {
    ...{ id, token, handler: "h", payload: new Uint8Array(), envelope: "", priority: 0, weight: 1, cost: 1 },
    ...{ attempts: 0, deliveries: 1, enqueuedAt: 0, replayedAt: undefined, waitMs: 0 },
  };
  return new HeldLease(task, "q", LEASE_MS, LEASE_MS / 3);
}

function keeper(): { readonly keeper: LeaseKeeper; readonly lost: number[] } {
  const lost: number[] = [];
  const listener = {
    lost: ({ task }: HeldLease) => lost.push(task.token),
    cancelAsked: () => {},
    failed: () => {},
  };
  const backend = { extend: async () => [] };
  const ports = { backend, clock: new ManualClock(), random: seededRandom(1) };
  return { keeper: new LeaseKeeper({ ...ports, terms: toLeaseTerms(LEASE_MS), listener }), lost };
}

test("D5: the lease that a process had of a task is lost when the task is given to it anew", () => {
  const { keeper: leases, lost } = keeper();
  const former = claimed("q:1", 1);
  leases.keep([former]);
  const present = claimed("q:1", 2);
  leases.keep([present]);
  expect(lost).toEqual([1]);
  expect([former.state, present.state]).toEqual(["over", "held"]);
  expect(leases.get("q:1")).toBe(present);
});

test("D5: a lease whose task has ended here is not lost by another one of that task", () => {
  const { keeper: leases, lost } = keeper();
  const former = claimed("q:1", 1);
  leases.keep([former]);
  former.settle({ kind: "nack", nack: { kind: "hand-back", delayMs: 0, error: undefined } });
  leases.keep([claimed("q:1", 2)]);
  expect(lost).toEqual([]);
  expect(former.state).toBe("settling");
});
