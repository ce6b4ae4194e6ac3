import * as v from "valibot";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { OptionError } from "../../src/errors.js";
import { runSchema, type Schema, schemaCheck } from "../../src/task/schema.js";
import { thrownBy } from "../support/manual-manager.js";

/** A schema that answers with whatever `validate` gives. */
const answering = (validate: (value: unknown) => unknown): Schema =>
  ({ "~standard": { version: 1, vendor: "test", validate } }) as Schema;
const fails = (): never => {
  throw new Error("hostile");
};

describe("runSchema", () => {
  it("gives what comes out of schemas of zod and valibot, or their issues", () => {
    const schemas = [
      z.object({ width: z.coerce.number().default(3) }),
      v.object({ width: v.optional(v.pipe(v.unknown(), v.transform(Number)), 3) }),
    ];
    for (const schema of schemas) {
      expect(runSchema(schema, { width: "5" })).toEqual({ value: { width: 5 } });
      expect(runSchema(schema, {})).toEqual({ value: { width: 3 } });
      expect(runSchema(schema, "no object")).toMatchObject({
        refusal: { issues: [{ message: expect.stringContaining("object") }] },
      });
    }
  });

  it("tells apart what is promised, and waits for nothing but promises", async () => {
    const later = runSchema(
      z.string().refine(async () => true),
      "a",
    );
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toEqual({ value: "a" });
    const thenable = { then: (resolve: (result: unknown) => void) => resolve({ value: 5 }) };
    expect(
      await runSchema(
        answering(() => thenable),
        1,
      ),
    ).toEqual({ value: 5 });
    const withThen = { then: fails };
    expect(
      runSchema(
        answering(() => ({ value: withThen })),
        1,
      ),
    ).toEqual({ value: withThen });
    const verdict = await runSchema(
      answering(async () => ({ value: withThen })),
      1,
    );
    expect("value" in verdict && verdict.value).toBe(withThen);
  });

  it("takes undefined for a value, when the schema says so", () => {
    expect(
      runSchema(
        answering(() => ({ value: undefined })),
        1,
      ),
    ).toEqual({ value: undefined });
    expect(
      runSchema(
        answering(() => ({ value: 1, issues: undefined })),
        1,
      ),
    ).toEqual({ value: 1 });
  });

  it("takes a schema that throws or rejects for a refusal, with its cause", async () => {
    const thrown = new Error("hostile");
    const throwing = runSchema(
      answering(() => {
        throw thrown;
      }),
      1,
    );
    expect(throwing).toEqual({ refusal: { issues: [{ message: expect.any(String) }], cause: thrown } });
    const rejecting = await runSchema(
      answering(() => Promise.reject(thrown)),
      1,
    );
    expect(rejecting).toMatchObject({ refusal: { cause: thrown } });
    const nothing = await runSchema(
      answering(() => Promise.reject(undefined)),
      1,
    );
    expect(nothing.refusal).toHaveProperty("cause", undefined);
  });

  it("takes junk for a refusal, promised or not", async () => {
    const getter = Object.defineProperty({}, "issues", { get: fails });
    const junk = [undefined, null, true, 5, "value", {}, [], { issues: 5 }, { issues: {} }, () => 1, getter];
    for (const answer of junk) {
      expect(
        runSchema(
          answering(() => answer),
          1,
        ),
      ).toHaveProperty("refusal");
      expect(
        await runSchema(
          answering(async () => answer),
          1,
        ),
      ).toHaveProperty("refusal");
    }
    const thenGetter = Object.defineProperty({}, "then", { get: fails });
    expect(
      runSchema(
        answering(() => thenGetter),
        1,
      ),
    ).toHaveProperty("refusal.cause.message", "hostile");
    const thenThrows = { then: fails };
    expect(
      await runSchema(
        answering(() => thenThrows),
        1,
      ),
    ).toHaveProperty("refusal.cause.message", "hostile");
    const forged = Object.assign(Promise.resolve(5), {
      then: () => ({ catch: () => ({ value: "forged" }) }),
    });
    expect(
      await runSchema(
        answering(() => forged),
        1,
      ),
    ).toHaveProperty("refusal");
  });

  it("hears the first answer of a promise that answers more than once", async () => {
    const twice = {
      then(resolve: (result: unknown) => void, reject: (error: unknown) => void) {
        resolve({ value: 1 });
        resolve({ issues: [] });
        reject(new Error("late"));
      },
    };
    expect(
      await runSchema(
        answering(() => twice),
        1,
      ),
    ).toEqual({ value: 1 });
  });
});

describe("schemaCheck", () => {
  it("takes schemas that are objects or functions, whoever made them", () => {
    const callable = Object.assign(
      () => 1,
      answering(() => ({ value: 1 })),
    );
    for (const schema of [z.string(), v.string(), answering(fails), callable])
      expect(schemaCheck(schema, "payload")).toBe(schema);
  });

  it("refuses what is none, and does not choke on what cannot be read", () => {
    const getter = Object.defineProperty({}, "~standard", { get: fails });
    const wrong = [
      ...[undefined, null, 5, "text", {}, [], () => 1, getter, { "~standard": null }],
      { "~standard": { version: 2, vendor: "later", validate: () => 1 } },
      { "~standard": { version: 1, vendor: "broken" } },
    ];
    for (const value of wrong) {
      const error = thrownBy(() => schemaCheck(value, "handlers.a.payload"));
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option: "handlers.a.payload" });
    }
  });
});
