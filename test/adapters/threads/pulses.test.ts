import { describe, expect, test } from "vitest";
import { type Pulse, Pulses } from "../../../src/adapters/threads/pulses.js";

describe("Pulses", () => {
  test("give each thread a word of its own, in memory that all share", () => {
    const pulses = new Pulses();
    const [first, second] = [pulses.take(), pulses.take()] as [Pulse, Pulse];
    Atomics.add(first.word, 0, 1);
    Atomics.add(second.word, 0, 2);
    expect([first.number, second.number]).toEqual([0, 1]);
    expect([...pulses.words.subarray(0, 3)]).toEqual([1, 2, 0]);
    expect(second.word.buffer).toBe(pulses.words.buffer);
  });

  test("give a word again once its thread has exited, which goes on from where it is", () => {
    const pulses = new Pulses();
    const first = pulses.take() as Pulse;
    pulses.take();
    Atomics.add(first.word, 0, 5);
    pulses.giveBack(first);
    const next = pulses.take() as Pulse;
    expect([next.number, next.word[0], pulses.take()?.number]).toEqual([0, 5, 2]);
  });

  test("have none left for more threads than there are words, until one is given back", () => {
    const pulses = new Pulses();
    const taken = Array.from({ length: pulses.words.length }, () => pulses.take());
    expect(new Set(taken.map((pulse) => pulse?.number)).size).toBe(pulses.words.length);
    expect(pulses.take()).toBeUndefined();
    pulses.giveBack(undefined); // of the thread that had none
    expect(pulses.take()).toBeUndefined();
    pulses.giveBack(taken[7]);
    expect(pulses.take()?.number).toBe(7);
  });
});
