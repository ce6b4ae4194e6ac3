import { describe, expect, test } from "vitest";
import { DropTallies } from "../../../src/core/events/drop-tallies.js";

describe("tallies of drops", () => {
  test("are one for each name, and one for all that have none", () => {
    const drops = new DropTallies();
    drops.of("audit").dropped++;
    drops.of("audit").dropped++;
    drops.of(undefined).dropped++;
    expect([...drops]).toEqual([
      { subscription: "_OTHER", dropped: 1 },
      { subscription: "audit", dropped: 2 },
    ]);
  });

  test("say that nothing was dropped before anybody subscribes", () => {
    expect([...new DropTallies()]).toEqual([{ subscription: "_OTHER", dropped: 0 }]);
  });

  test("tell a hundred names apart and lose nothing of the others (V15)", () => {
    const drops = new DropTallies();
    for (let number = 0; number < 10_000; number++) drops.of(`reader-${number}`).dropped++;
    expect([...drops]).toHaveLength(101);
    expect(drops.of("reader-99").subscription).toBe("reader-99");
    expect(drops.of("reader-100")).toEqual({ subscription: "_OTHER", dropped: 9_900 });
    expect([...drops].reduce((sum, { dropped }) => sum + dropped, 0)).toBe(10_000);
  });

  test("take names that mean something to an object for names", () => {
    const drops = new DropTallies();
    for (const name of ["__proto__", "constructor", "_OTHER"]) drops.of(name).dropped++;
    expect([...drops].map(({ subscription }) => subscription)).toEqual([
      "_OTHER",
      "__proto__",
      "constructor",
    ]);
    expect([...drops].map(({ dropped }) => dropped)).toEqual([1, 1, 1]);
  });
});
