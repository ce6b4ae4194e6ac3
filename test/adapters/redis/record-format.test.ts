import { expect, test } from "vitest";
import { PackedTexts } from "../../../src/adapters/redis/pack-texts.js";
import {
  addBody,
  HEAD_BYTES,
  LEASED_BYTES,
  toClaimedTask,
} from "../../../src/adapters/redis/record-format.js";
import { newTask } from "../../../src/testing/conformance/backend/stored-things.js";
import { countHiddenClasses } from "../../support/hidden-class.js";

function toRecord(said: Parameters<typeof newTask>[1] = {}): Buffer {
  const packed = new PackedTexts(0);
  addBody(packed, newTask("q:a", said), "mark0");
  const list = packed.finish();
  // Behind the header of the list, and the shortest one that a body of more than 31 bytes can have.
  return Buffer.concat([Buffer.alloc(HEAD_BYTES), list.subarray(5 + (list[5] === 0xd9 ? 2 : 3))]);
}

/** As much of a head as a claim writes, and the rest of an id. */
function toHead({ token = 1, deliveries = 1, readyAt = 0 }): Buffer {
  const head = Buffer.from(`${"\0".repeat(LEASED_BYTES)}a`);
  head.writeUInt8(Math.floor(token / 2 ** 48), 3);
  head.writeUIntBE(token % 2 ** 48, 4, 6);
  head.writeUInt16BE(deliveries, 16);
  head.writeUIntBE(readyAt, 22, 6);
  return head;
}

test("a task comes out of its record as it was put in", () => {
  const payload = Buffer.from([0, 255, 10, 13]);
  const idempotency = { key: "ключ", ttlMs: 5, onDuplicate: "keep" } as const;
  const said = { payload, idempotency, envelope: '{"n":"€"}', priority: -7, weight: 1_000, cost: 2 ** 40 };
  const record = toRecord({ ...said, handler: "a.b:c", maxDeliveries: 9 });
  const task = toClaimedTask(
    "q",
    [toHead({ token: 2 ** 52, deliveries: 3, readyAt: 960 }), record],
    1_000,
    1_000,
  );
  const { payload: kept, ...rest } = task;
  expect(Buffer.compare(kept, payload)).toBe(0);
  expect(rest).toEqual({
    ...{ id: "q:a", token: 2 ** 52, deliveries: 3, waitMs: 40, handler: "a.b:c", envelope: '{"n":"€"}' },
    ...{ priority: -7, weight: 1_000, cost: 2 ** 40, attempts: 0, enqueuedAt: 0, replayedAt: undefined },
    claimedAt: 1_000,
  });
});

test("a record that is too short gives no task", () => {
  const [head, record] = [toHead({}), toRecord()];
  expect(() => toClaimedTask("q", [head, record.subarray(0, HEAD_BYTES + 5)], 0, 0)).toThrow(RangeError);
  expect(() => toClaimedTask("q", [head.subarray(0, 5), record], 0, 0)).toThrow(RangeError);
});

test("a task has not waited for less than no time, whatever the clock of the server has done since", () => {
  expect(toClaimedTask("q", [toHead({ readyAt: 2_000 }), toRecord()], 1_000, 1_000).waitMs).toBe(0);
});

test("all tasks that are claimed have one hidden class", () => {
  const tasks = Array.from({ length: 100 }, (_, n) =>
    toClaimedTask(`q${n}`, [toHead({ token: n }), toRecord()], 0, 0),
  );
  expect(countHiddenClasses(tasks)).toBeLessThanOrEqual(2);
});
