import { expect, test } from "vitest";
import { HEAD_BYTES, toBody, toClaimedTask } from "../../../src/adapters/redis/record-format.js";
import { newTask } from "../../../src/testing/conformance/backend/stored-things.js";
import { countHiddenClasses } from "../../support/hidden-class.js";

function toRecord(said: Parameters<typeof newTask>[1] = {}): Buffer {
  return Buffer.concat([Buffer.alloc(HEAD_BYTES), toBody(newTask("q:a", said), "mark0")]);
}

test("a task comes out of its record as it was put in", () => {
  const payload = Buffer.from([0, 255, 10, 13]);
  const idempotency = { key: "ключ", ttlMs: 5, onDuplicate: "keep" } as const;
  const said = { payload, idempotency, envelope: '{"n":"€"}', priority: -7, weight: 1_000, cost: 2 ** 40 };
  const task = toClaimedTask(
    "q:a",
    2 ** 52,
    3,
    40,
    toRecord({ ...said, handler: "a.b:c", maxDeliveries: 9 }),
  );
  const { payload: kept, ...rest } = task;
  expect(Buffer.compare(kept, payload)).toBe(0);
  expect(rest).toEqual({
    ...{ id: "q:a", token: 2 ** 52, deliveries: 3, waitMs: 40, handler: "a.b:c", envelope: '{"n":"€"}' },
    ...{ priority: -7, weight: 1_000, cost: 2 ** 40, attempts: 0, enqueuedAt: 0, replayedAt: undefined },
  });
});

test("a record that is too short gives no task", () => {
  expect(() => toClaimedTask("q:a", 1, 1, 0, toRecord().subarray(0, HEAD_BYTES + 5))).toThrow(RangeError);
});

test("all tasks that are claimed have one hidden class", () => {
  const tasks = Array.from({ length: 100 }, (_, n) => toClaimedTask(`q:${n}`, n, 1, 0, toRecord()));
  expect(countHiddenClasses(tasks)).toBeLessThanOrEqual(2);
});
