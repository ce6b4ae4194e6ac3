import { describe, expect, it } from "vitest";
import { runFixture } from "../support/child-process.js";

describe.concurrent("how long durable tasks keep the process alive", { timeout: 60_000 }, () => {
  it.each([
    ["producer", "that only enqueues: not at all", ["end of program"]],
    ["consumer", "that consumes: until it is stopped", ["end of program", "ran", "still alive", "stopped"]],
    ["waiter", "that awaits a result: as long as that", ["ResultTimeoutError", "end of program"]],
    [
      "unanswered",
      "producer, that is stopped: until the stop is over",
      ["stopped: StoreUnreachableError", "end of program"],
    ],
    ["abandoner", "that has stopped: not at all", ["abandoned 1", "end of program"]],
  ])("a %s, %s", async (program, _meaning, expected) => {
    const { code, signal, stdout, stderr } = await runFixture("durable-lifetime.ts", program);
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: "" });
    expect(stdout.split("\n").slice(0, -1)).toEqual(expected);
  });
});
