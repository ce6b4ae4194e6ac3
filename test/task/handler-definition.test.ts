import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { fixed } from "../../src/task/backoff.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import { json } from "../../src/task/json.js";
import { thrownBy } from "../support/manual-manager.js";

const payload = json<{ to: string }>();
const { NaN: none, POSITIVE_INFINITY: infinite } = Number;
const refused = (entry: unknown) => thrownBy(() => readDefinition("sendEmail", entry)) as OptionError;

describe("readDefinition", () => {
  it("keeps what was said and leaves the rest undefined, but for the size of payloads", () => {
    const run = () => 1;
    expect(readDefinition("sendEmail", { payload, run })).toEqual({
      ...{ name: "sendEmail", description: undefined, payload, result: undefined, run, module: undefined },
      settings: { timeoutMs: undefined, maxAttempts: undefined, backoff: undefined, killAfterMs: undefined },
      ...{ queue: undefined, priority: undefined, weight: undefined, cost: undefined, ttlMs: undefined },
      ...{ maxConcurrency: undefined, rateLimit: undefined, idempotency: undefined },
      ...{ maxPayloadBytes: 1_048_576, maxResultBytes: 1_048_576 },
    });
    const said = {
      ...{ description: "sends", payload, result: json<null>(), run, queue: "mail", priority: -5, weight: 7 },
      ...{ cost: 2, ttlMs: 60_000, maxConcurrency: 3 },
      ...{ maxPayloadBytes: 100, maxResultBytes: 200 },
      rateLimit: { tasksPerSecond: 5, burst: 2 },
      idempotency: { onDuplicate: "reject", ttlMs: 5 },
    };
    const settings = { timeoutMs: false, maxAttempts: 4, backoff: fixed(), killAfterMs: 0 };
    const definition = readDefinition("sendEmail", { ...said, ...settings });
    expect(definition).toEqual({ name: "sendEmail", module: undefined, ...said, settings });
    expect([definition, definition.settings].every(Object.isFrozen)).toBe(true);
  });

  it("takes a contract, a handler of a thread, and undefined for what is not said", () => {
    expect(readDefinition("sendEmail", { payload })).toMatchObject({ run: undefined, module: undefined });
    const url = new URL("file:///srv/resize.js");
    expect(readDefinition("sendEmail", { payload, module: url, run: undefined })).toMatchObject({
      module: { exportName: "default" },
    });
  });

  it("asks for a payload schema", () => {
    for (const entry of [
      {},
      { run: () => 1 },
      { payload: undefined },
      { payload: {} },
      { payload: "string" },
    ]) {
      expect(refused(entry)).toBeInstanceOf(OptionError);
      expect(refused(entry).option).toBe("handlers.sendEmail.payload");
    }
  });

  it("refuses an entry that is no object", () => {
    for (const entry of [undefined, null, 5, "text", [], () => 1])
      expect(refused(entry)).toMatchObject({ option: "handlers.sendEmail", code: "MILLRACE_OPTION" });
  });

  it.each([
    ["timeoutMs", [0, -1, none, infinite, "5", true]],
    ["maxAttempts", [0, 1.5, none, "5"]],
    ["backoff", ["fixed", 5, null]],
    ["killAfterMs", [-1, none, "5"]],
    ["ttlMs", [0, none, infinite]],
    ["queue", ["", "a:b", 5, "x".repeat(129)]],
    ["priority", [0.5, 1_000_001, none, "0"]],
    ["weight", [0, 1_001, 1.5]],
    ["cost", [0, 1.5, none]],
    ["maxConcurrency", [0, 1_000_001, infinite, 1.5]],
    ["rateLimit", [5, null, "5/s"]],
    ["idempotency", [5, null, "keep"]],
    ["maxPayloadBytes", [0, -1, 1.5, infinite, none, "1 MiB"]],
    ["maxResultBytes", [0, -1, 1.5, infinite, none, "1 MiB"]],
    ["description", [5, "x".repeat(1_025)]],
    ["run", [null, 5, "text", {}]],
    ["module", ["./x.js", {}, new URL("https://example.com/x.js")]],
    ["result", [null, {}, "text"]],
  ])("names the path of a wrong %s", (option, values) => {
    for (const value of values)
      expect(refused({ payload, [option]: value }).option).toBe(`handlers.sendEmail.${option}`);
  });

  it("refuses an unknown option with the nearest known one, inside a rate limit too", () => {
    expect(refused({ payload, timeoutMS: 5 })).toMatchObject({
      option: "handlers.sendEmail.timeoutMS",
      message: "Unknown option `handlers.sendEmail.timeoutMS`; did you mean `timeoutMs`?",
    });
    expect(refused({ payload, rateLimit: { tasksPerSecond: 5, brust: 1 } })).toMatchObject({
      option: "handlers.sendEmail.rateLimit.brust",
    });
  });

  it("refuses run together with module", () => {
    const both = { payload, run: () => 1, module: new URL("file:///srv/resize.js") };
    expect(refused(both)).toMatchObject({ option: "handlers.sendEmail.module" });
    expect(refused(both).message).toContain("found both");
  });

  it("refuses a cost that its own rate limit can never save up", () => {
    const limited = (cost: number, rateLimit: object) => ({ payload, cost, rateLimit });
    expect(refused(limited(2, { tasksPerSecond: 5 }))).toMatchObject({ option: "handlers.sendEmail.cost" });
    expect(refused(limited(4, { tasksPerSecond: 5, burst: 3 })).message).toContain("at most 3");
    for (const fine of [
      limited(3, { tasksPerSecond: 5, burst: 3 }),
      limited(9, { tasksPerSecond: infinite }),
    ])
      expect(readDefinition("sendEmail", fine).cost).toBe(fine.cost);
  });
});
