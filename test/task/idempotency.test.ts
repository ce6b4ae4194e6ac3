import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import {
  idempotencyCheck,
  idempotencyKeyCheck,
  managerIdempotencyCheck,
  toIdempotencyRules,
} from "../../src/task/idempotency.js";
import { json } from "../../src/task/json.js";
import { readTaskOptions } from "../../src/task/task-options.js";
import { thrownBy } from "../support/manual-manager.js";

const { NaN: none } = Number;

describe("an idempotency key", () => {
  it("is any text of 1 to 512 characters, words that objects have of their own among them", () => {
    for (const key of [
      "a",
      "x".repeat(512),
      "__proto__",
      "constructor",
      "a:b c/d",
      "\u00e4\u4e16\u{1f600}",
      " ",
    ])
      expect(idempotencyKeyCheck(key, "idempotencyKey")).toBe(key);
  });

  it("is refused when it is empty, too long, no text, or holds a control character", () => {
    for (const key of ["", "x".repeat(513), 5, null, {}, ["a"], "a\nb", "a\u0000", "\u007f", "a\u0085"]) {
      const error = thrownBy(() => idempotencyKeyCheck(key, "idempotencyKey"));
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option: "idempotencyKey" });
    }
  });
});

describe("the rules of keys", () => {
  it("are the built-in ones where nothing is said, and what was said elsewhere", () => {
    const builtIn = { onDuplicate: "keep", ttlMs: 86_400_000, onFailure: "hold", maxKeys: 100_000 };
    expect(toIdempotencyRules()).toEqual(builtIn);
    expect(toIdempotencyRules({ onDuplicate: undefined, ttlMs: 0 })).toEqual({ ...builtIn, ttlMs: 0 });
    expect(Object.isFrozen(toIdempotencyRules({ maxKeys: 5 }))).toBe(true);
  });

  it("are read whole, and frozen, for a task and for a manager", () => {
    const said = { onDuplicate: "replace", ttlMs: 5, onFailure: "free" };
    expect(idempotencyCheck(said, "idempotency")).toEqual(said);
    expect(managerIdempotencyCheck({ ...said, maxKeys: 0 }, "idempotency")).toEqual({ ...said, maxKeys: 0 });
    expect(Object.isFrozen(idempotencyCheck(said, "idempotency"))).toBe(true);
  });

  it.each([
    ["onDuplicate", ["ignore", "", true, null]],
    ["onFailure", ["keep", "release", "", true, null]],
    ["ttlMs", [-1, none, "5", Number.POSITIVE_INFINITY]],
    ["maxKeys", [-1, 0.5, none, "5"]],
    ["onDuplicates", ["keep"]],
  ])("refuse a wrong %s with its path", (option, values) => {
    for (const value of values) {
      const error = thrownBy(() => managerIdempotencyCheck({ [option]: value }, "idempotency"));
      expect(error).toMatchObject({ code: "MILLRACE_OPTION", option: `idempotency.${option}` });
    }
  });

  it("of a task do not say how many keys there are, nor do those of a handler", () => {
    const wrong = { idempotencyKey: "a", idempotency: { maxKeys: 5 } };
    expect(thrownBy(() => readTaskOptions(wrong))).toMatchObject({ option: "idempotency.maxKeys" });
    const entry = { payload: json<string>(), idempotency: { maxKeys: 5 } };
    const error = thrownBy(() => readDefinition("charge", entry));
    expect(error).toMatchObject({ option: "handlers.charge.idempotency.maxKeys" });
  });

  it("of a task are refused without a key, and taken beside one", () => {
    const idempotency = { ttlMs: 5 };
    expect(thrownBy(() => readTaskOptions({ idempotency }))).toMatchObject({ option: "idempotency" });
    expect(readTaskOptions({ idempotency, idempotencyKey: "a" })).toEqual({
      idempotency,
      idempotencyKey: "a",
    });
  });
});
