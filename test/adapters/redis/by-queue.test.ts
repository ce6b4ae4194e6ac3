import { describe, expect, test } from "vitest";
import { nextPortion, runByQueue } from "../../../src/adapters/redis/by-queue.js";

interface Sized {
  readonly id: string;
  readonly size: number;
}

const sized = (id: string, size = 0): Sized => ({ id, size });
const portion = { most: 3, sizeOf: ({ size }: Sized) => size };
const MIB = 1_048_576;

/** What is asked in each call, and the answers: the ids, so that each can be told from the others. */
async function run(batch: readonly Sized[]) {
  const calls: string[] = [];
  const answers = await runByQueue(batch, portion, async (queue, parts) => {
    calls.push(`${queue}: ${parts.map(({ rest }) => rest).join(" ")}`);
    return parts.map(({ one }) => one.id);
  });
  return { calls, answers };
}

describe("a batch", () => {
  test("is asked for each queue by itself, and answered in its own order", async () => {
    const batch = ["a:1", "b:1", "a:2", "c:x:y", "b:2", "a:3", "a:4"].map((id) => sized(id));
    const { calls, answers } = await run(batch);
    expect(calls).toEqual(["a: 1 2 3", "b: 1 2", "c: x:y", "a: 4"]);
    expect(answers).toEqual(batch.map(({ id }) => id));
  });

  test("of nothing asks nothing", async () => {
    expect(await run([])).toEqual({ calls: [], answers: [] });
  });

  test("of what is large is asked in several calls, and what is too large in one of its own", async () => {
    const batch = [sized("a:1", 5 * MIB), sized("a:2", 5 * MIB), sized("a:3", 100 * MIB), sized("a:4")];
    expect((await run(batch)).calls).toEqual(["a: 1", "a: 2", "a: 3", "a: 4"]);
  });

  test("fails as a whole where one of its calls does", async () => {
    const failing = runByQueue([sized("a:1"), sized("b:1")], portion, async (queue) => {
      if (queue === "b") throw new Error("no");
      return ["yes"];
    });
    await expect(failing).rejects.toThrow("no");
  });
});

test("portions of a batch follow each other, bounded in number and in bytes, and are never empty", () => {
  const batch = [sized("a:1"), sized("a:2"), sized("a:3"), sized("a:4", 9 * MIB), sized("a:5", 9 * MIB)];
  const portions: string[][] = [];
  for (let from = 0; from < batch.length; from += portions.at(-1)?.length ?? 0)
    portions.push(nextPortion(batch, from, portion).map(({ id }) => id));
  expect(portions).toEqual([["a:1", "a:2", "a:3"], ["a:4"], ["a:5"]]);
});
