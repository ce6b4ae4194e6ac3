import { describe, expect, test } from "vitest";
import { QueueTurns } from "../../../src/core/durable/queue-turns.js";

function createTurns(count: number, strict = false) {
  const names = Array.from({ length: count }, (_, index) => `q${index}`);
  const turns = new QueueTurns(
    names.map((name, index) => ({ name, share: index + 1 })),
    strict,
    0,
  );
  const order = (now: number) => turns.candidates(now).map(({ name }) => name);
  const turn = (name: string, now = 1e9) => {
    const found = turns.candidates(now).find((one) => one.name === name);
    if (found === undefined) throw new Error(`${name} may have nothing`);
    return found;
  };
  return { turns, order, turn };
}

describe("the order in which queues are asked", () => {
  test("is that of the turns which they have had, by their share", () => {
    const { order, turn, turns } = createTurns(2);
    for (const name of ["q0", "q1"]) turns.wake(name);
    turns.took(turn("q0"), 1);
    expect(order(0)).toEqual(["q1", "q0"]);
    turns.took(turn("q1"), 3);
    expect(order(0)).toEqual(["q0", "q1"]);
  });

  test("gives polls every second turn, the one first that is overdue for longest", () => {
    const { order, turn, turns } = createTurns(4);
    turns.wake("q2");
    turns.wake("q0");
    Object.assign(turn("q3"), { dueAt: 5, isPoll: true });
    Object.assign(turn("q1"), { dueAt: 7, isPoll: true });
    expect(order(7)).toEqual(["q3", "q1", "q0", "q2"]);
    turns.asked(turn("q3"), 7);
    expect(order(7)).toEqual(["q0", "q2", "q3", "q1"]);
    turns.asked(turn("q0"), 7);
    expect(order(7)).toEqual(["q3", "q1", "q0", "q2"]);
  });

  test("is that of the shares alone where queues are strict", () => {
    const { order, turns } = createTurns(3, true);
    turns.wake("q0");
    expect(order(0)).toEqual(["q2", "q1", "q0"]);
  });

  test("has none that is not due, but for handlers which were left out", () => {
    const { order, turn } = createTurns(2);
    turn("q0").dueAt = 10;
    turn("q1").dueAt = 20;
    turn("q1").leftOut = ["handler"];
    expect(order(9)).toEqual(["q1"]);
    expect(order(10)).toEqual(["q0", "q1"]);
  });
});
