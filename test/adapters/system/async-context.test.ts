import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { AsyncContext } from "../../../src/adapters/system/async-context.js";
import type { Outcome } from "../../../src/task/outcome.js";
import { newTask } from "../../support/new-task.js";

const storage = new AsyncLocalStorage<string>();
const task = newTask();
const look = (): Outcome => ({ returned: true, value: storage.getStore() });

describe("AsyncContext", () => {
  it("runs in the context of the capture, as often as one likes", () => {
    const carrier = new AsyncContext();
    const captured = storage.run("mine", () => carrier.capture());
    for (const other of ["a", "b"])
      expect(storage.run(other, () => carrier.run(captured, task, look))).toMatchObject({ value: "mine" });
    expect(storage.getStore()).toBeUndefined();
  });

  it("runs in that of its own making where nothing was captured, or what another captured", () => {
    const carrier = storage.run("root", () => new AsyncContext());
    for (const captured of [undefined, { headers: {} }])
      expect(storage.run("other", () => carrier.run(captured, task, look))).toMatchObject({ value: "root" });
  });

  it("begins with that of its own making each time, whatever a call before has entered", () => {
    const carrier = storage.run("root", () => new AsyncContext());
    const spoil = (): Outcome => {
      storage.enterWith("spoilt");
      return look();
    };
    expect(carrier.run(undefined, task, spoil)).toMatchObject({ value: "spoilt" });
    expect(carrier.run(undefined, task, look)).toMatchObject({ value: "root" });
    const seen: unknown[] = [];
    const see = () => {
      seen.push(storage.getStore());
      storage.enterWith("spoilt");
    };
    carrier.enter(undefined, see, undefined);
    carrier.enter(undefined, see, undefined);
    expect(seen).toEqual(["root", "root"]);
  });

  it("keeps the context through awaits", async () => {
    const carrier = new AsyncContext();
    const captured = storage.run("mine", () => carrier.capture());
    const outcome = await carrier.run(captured, task, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return look();
    });
    expect(outcome).toMatchObject({ value: "mine" });
  });

  it("gives back what is performed, the very promise too, and passes on what it throws", () => {
    const carrier = new AsyncContext();
    const later = Promise.resolve(look());
    expect(carrier.run(undefined, task, () => later)).toBe(later);
    expect(() =>
      carrier.run(undefined, task, () => {
        throw new Error("broken");
      }),
    ).toThrow("broken");
  });

  it("binds a call to the context in which it was bound", () => {
    const carrier = new AsyncContext();
    const bound = storage.run("mine", () => carrier.bind(() => storage.getStore()));
    expect(storage.run("other", bound)).toBe("mine");
  });
});
