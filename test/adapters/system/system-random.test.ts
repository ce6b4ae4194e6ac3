import { expect, it, vi } from "vitest";
import { SystemRandom } from "../../../src/adapters/system/system-random.js";

it("SystemRandom gives numbers from 0 up to, but not including, 1, and not the same again", () => {
  const random = new SystemRandom();
  const numbers = Array.from({ length: 1_000 }, () => random.next());
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  expect(new Set(numbers).size).toBeGreaterThan(990);
});

it("SystemRandom takes them from Math.random", () => {
  const source = vi.spyOn(Math, "random").mockReturnValue(0.25);
  expect(new SystemRandom().next()).toBe(0.25);
  source.mockRestore();
});
