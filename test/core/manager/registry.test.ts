import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Registry } from "../../../src/core/manager/registry.js";
import { DuplicateTaskError, OptionError } from "../../../src/errors.js";
import { newTask } from "../../support/new-task.js";

describe("Registry", () => {
  it("finds tasks by the ids that it made up and by those that users gave", () => {
    const registry = new Registry("p-");
    const [plain, named] = [newTask({ number: 70 }), newTask({ number: 71, details: { id: "mine" } })];
    registry.add(plain);
    registry.add(named);
    expect(registry.get("p-70")).toBe(plain);
    expect(registry.get("mine")).toBe(named);
    expect(registry.get("p-71")).toBeUndefined(); // its id is another
    expect(registry.size).toBe(2);
  });

  it("takes an id for no other spelling of its number", () => {
    const registry = new Registry("p-");
    registry.add(newTask({ number: 64 }));
    registry.add(newTask({ number: 1 }));
    for (const id of [
      "p-",
      "p-064",
      "p-64.0",
      "p-6.4e1",
      "p-0x40",
      "p- 64",
      "p-+64",
      "p--1",
      "p-NaN",
      "64",
      "P-64",
    ])
      expect(registry.get(id), id).toBeUndefined();
    expect(registry.get("p-64")?.number).toBe(64);
  });

  it("refuses an id that is taken and one that looks made up, and frees it with its task", () => {
    const registry = new Registry("p-");
    const named = newTask({ details: { id: "mine" } });
    registry.refuseTaken("mine");
    registry.add(named);
    expect(() => registry.refuseTaken("mine")).toThrow(DuplicateTaskError);
    expect(() => registry.refuseTaken("p-5")).toThrow(OptionError);
    registry.refuseTaken("p5");
    registry.delete(named.number);
    registry.refuseTaken("mine");
  });

  it("forgets a task once, and no other", () => {
    const registry = new Registry("p-");
    const task = newTask({ number: 5, details: { id: "mine" } });
    registry.add(task);
    registry.delete(6);
    expect(registry.get("mine")).toBe(task);
    registry.delete(task.number);
    registry.delete(task.number);
    registry.delete(500);
    expect([registry.size, registry.get("mine")]).toEqual([0, undefined]);
  });

  it("walks in order of acceptance, up to a number, while tasks come and go", () => {
    const registry = new Registry("p-");
    const tasks = Array.from({ length: 300 }, (_, index) => newTask({ number: index + 1 }));
    for (const task of tasks) registry.add(task);
    expect([...registry].map(({ number }) => number)).toEqual(tasks.map(({ number }) => number));
    expect([...registry.upTo(100)]).toHaveLength(100);
    const seen: number[] = [];
    let next = 300;
    for (const task of registry.upTo(300)) {
      seen.push(task.number);
      registry.delete(task.number); // what is met goes
      registry.add(newTask({ number: ++next })); // what comes is not met
      const ahead = tasks[task.number + 9];
      if (task.number % 50 === 0 && ahead !== undefined) registry.delete(ahead.number);
    }
    expect(seen).toHaveLength(295);
    expect(seen).not.toContain(60);
    expect([...registry].every(({ number }) => number > 300)).toBe(true);
  });

  it("does what a Map does", () => {
    const step = fc.record({ add: fc.boolean(), number: fc.integer({ min: 1, max: 200 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const registry = new Registry("p-");
        const model = new Map<number, ReturnType<typeof newTask>>();
        for (const { add, number } of steps) {
          const known = model.get(number);
          if (add && known === undefined) {
            const task = newTask({ number, details: number % 3 === 0 ? { id: `own-${number}` } : undefined });
            registry.add(task);
            model.set(number, task);
          } else if (!add && known !== undefined) {
            registry.delete(known.number);
            model.delete(number);
          }
        }
        expect(registry.size).toBe(model.size);
        expect(new Set(registry)).toEqual(new Set(model.values()));
        for (let number = 1; number <= 200; number++) {
          const id = number % 3 === 0 ? `own-${number}` : `p-${number}`;
          expect(registry.get(id)).toBe(model.get(number));
        }
      }),
    );
  });
});
