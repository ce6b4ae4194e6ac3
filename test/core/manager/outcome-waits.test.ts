import { describe, expect, test } from "vitest";
import { awaitOutcome } from "../../../src/core/manager/outcome-waits.js";
import { createManager } from "../../support/manual-manager.js";

/** An outcome that counts what is told of its end, and is told when that comes. */
class Outcome extends Promise<string> {
  reactions = 0;

  override then(...given: Parameters<Promise<string>["then"]>): never {
    this.reactions++;
    return super.then(...given) as never;
  }
}

function toOutcome() {
  let end: (value: string) => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const outcome = new Outcome((resolve, reject) => {
    end = resolve;
    fail = reject;
  });
  return { outcome, end, fail };
}

describe("waits for an outcome", () => {
  test("leave nothing at its promise when they are given up", async () => {
    const { outcome, end } = toOutcome();
    const told: string[] = [];
    const wait = (name: string) =>
      awaitOutcome(outcome, { resolve: (value) => told.push(`${name} ${value}`), reject: () => {} });
    for (let count = 0; count < 1_000; count++) {
      const giveUp = wait("given up");
      giveUp();
      giveUp();
    }
    wait("first");
    wait("second");
    expect(outcome.reactions).toBe(1);
    end("ended");
    await outcome;
    expect(told).toEqual(["first ended", "second ended"]);
  });

  test("are told of a failure, and handle it", async () => {
    const { outcome, fail } = toOutcome();
    const told: unknown[] = [];
    awaitOutcome(outcome, { resolve: () => {}, reject: (error) => told.push(error) });
    awaitOutcome(outcome, { resolve: () => {}, reject: () => told.push("given up") })();
    fail("failed");
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(["failed"]);
  });

  test("with a limit and without one get the same, whoever has given up meanwhile", async () => {
    const { tasks, clock } = createManager();
    const handle = tasks.enqueue(() => "done", { delayMs: 100 });
    const early = handle.result({ timeoutMs: 10 });
    const { signal } = new AbortController();
    const waiting = [handle.result({ timeoutMs: 1_000 }), handle.result({ signal }), handle.result()];
    await Promise.all([expect(early).rejects.toThrow("10 ms"), clock.advance(10)]);
    await clock.advance(90);
    expect(await Promise.all(waiting)).toEqual(["done", "done", "done"]);
  });
});
