import { describe, expect, test } from "vitest";
import { Tallies } from "../../../src/core/manager/tallies.js";
import { GroupTally } from "../../../src/task/group-tally.js";

const names = (tallies: Tallies) => [...tallies].map(({ queue, handler }) => [queue, handler]);

describe("tallies", () => {
  test("are one for each queue and handler, and one for plain functions", () => {
    const tallies = new Tallies(["email"]);
    const plain = tallies.of("email", undefined);
    const named = tallies.of("email", "send");
    expect(tallies.of("email", undefined)).toBe(plain);
    expect(tallies.of("email", "send")).toBe(named);
    expect(named).not.toBe(plain);
    expect(names(tallies)).toEqual([
      ["email", undefined],
      ["email", "send"],
    ]);
  });

  test("add up to a total, by every reason", () => {
    const tallies = new Tallies([]);
    const [one, other] = [tallies.of("a", undefined), tallies.of("b", "send")];
    one.enqueued = 7;
    other.enqueued = 2;
    other.completed = 1;
    for (const reason of ["error", "timeout", "deadline", "cancelled", "dropped", "stopped"] as const)
      one.countDefeat(reason);
    other.countDefeat("error");
    expect([one.failed, one.cancelled]).toEqual([
      { error: 1, timeout: 1, deadline: 1 },
      { cancelled: 1, dropped: 1, stopped: 1 },
    ]);
    expect(tallies.total()).toMatchObject({ enqueued: 9, completed: 1, failed: 4, cancelled: 3 });
  });

  test("tell the first hundred unnamed queues apart, and count the others together (V15)", () => {
    const tallies = new Tallies(["email"]);
    for (let number = 0; number < 10_000; number++) tallies.of(`tenant-${number}`, undefined).enqueued++;
    tallies.of("email", undefined).enqueued++;
    expect([...tallies]).toHaveLength(102);
    expect(tallies.of("tenant-99", undefined).queue).toBe("tenant-99");
    expect(tallies.of("tenant-100", undefined).queue).toBe("_OTHER");
    expect(tallies.of("email", undefined).queue).toBe("email");
    expect(tallies.of("tenant-5000", undefined).enqueued).toBe(9_900);
    expect(tallies.total().enqueued).toBe(10_001);
  });

  test("tell at most 600 groups apart, and count all others in one (V15)", () => {
    const tallies = new Tallies(Array.from({ length: 50 }, (_, number) => `named-${number}`));
    const handlers = Array.from({ length: 40 }, (_, number) => `handler-${number}`);
    for (const handler of handlers)
      for (let number = 0; number < 200; number++) {
        tallies.of(`named-${number % 50}`, handler).started++;
        tallies.of(`tenant-${number}`, handler).started++;
      }
    expect([...tallies]).toHaveLength(601);
    expect(tallies.total().started).toBe(40 * 400);
    const kept = tallies.of("named-0", "handler-0");
    expect([kept.queue, kept.started]).toEqual(["named-0", 4]);
  });

  test("bound handlers too, however many are registered (V15)", () => {
    const tallies = new Tallies(["default"]);
    for (let number = 0; number < 2_000; number++) tallies.of("default", `handler-${number}`).failed.error++;
    expect([...tallies]).toHaveLength(601);
    expect(tallies.of("default", "handler-599")).toMatchObject({ queue: "default", handler: "handler-599" });
    expect(tallies.of("default", "handler-1999")).toMatchObject({ queue: "_OTHER", handler: "_OTHER" });
    expect(tallies.of("default", "handler-600").failed.error).toBe(1_400);
    expect(tallies.total().failed).toBe(2_000);
  });

  test("count in one group for good: one that was folded stays so", () => {
    const tallies = new Tallies([]);
    for (let number = 0; number <= 100; number++) tallies.of(`tenant-${number}`, undefined);
    const folded = tallies.of("tenant-100", undefined);
    expect(folded.queue).toBe("_OTHER");
    expect(tallies.of("tenant-100", "send").queue).toBe("_OTHER");
    expect(tallies.of("tenant-0", "send").queue).toBe("tenant-0");
    expect(tallies.of("tenant-100", undefined)).toBe(folded);
  });

  test("take names that mean something to an object for names", () => {
    const tallies = new Tallies(["__proto__"]);
    for (const name of ["__proto__", "constructor", "toString", "_OTHER"]) {
      tallies.of(name, name).completed++;
      expect(tallies.of(name, name)).toMatchObject({ queue: name, handler: name, completed: 1 });
    }
    expect(Object.getPrototypeOf(tallies.of("__proto__", "__proto__"))).toBe(GroupTally.prototype);
    expect(tallies.total().completed).toBe(4);
  });
});
