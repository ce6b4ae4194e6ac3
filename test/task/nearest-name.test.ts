import { describe, expect, it } from "vitest";
import { nearestName } from "../../src/task/nearest-name.js";

const KNOWN = ["timeoutMs", "maxAttempts", "backoff", "killAfterMs", "queue", "id"];

describe("nearestName", () => {
  it.each([
    ["timeout", "timeoutMs"],
    ["timeOutMs", "timeoutMs"],
    ["TIMEOUTMS", "timeoutMs"],
    ["maxAttemps", "maxAttempts"],
    ["attempts", "maxAttempts"],
    ["retries", "maxAttempts"],
    ["rateLimit", undefined],
    ["bakoff", "backoff"],
    ["killAfter", "killAfterMs"],
    ["queues", "queue"],
    ["ids", "id"],
    ["somethingElse", undefined],
    ["", undefined],
    ["x", undefined],
    ["x".repeat(65), undefined],
  ])("takes %s for %s", (given, expected) => {
    expect(nearestName(given, KNOWN)).toBe(expected);
  });

  it("takes the nearer of two, and of equals the first", () => {
    expect(nearestName("share", ["shared", "share", "spare"])).toBe("share");
    expect(nearestName("cat", ["bat", "rat"])).toBe("bat");
    expect(nearestName("cat", [])).toBeUndefined();
  });

  it.each([
    ["attempts", "maxAttempts"],
    ["jobId", "id"],
    ["removeOnComplete", "resultTtlMs"],
    ["limiter", "tasksPerSecond"],
    ["intervalCap", "tasksPerSecond"],
    ["minTime", "tasksPerSecond"],
    ["reservoir", "burst"],
    ["maxConcurrent", "concurrency"],
    ["maxThreads", "threads"],
    ["highWater", "capacity"],
    ["onCompleted", "onFinished"],
  ])("knows %s of other libraries as %s, where that is known", (given, expected) => {
    const known = ["name", "signal", expected, "metadata"];
    expect(nearestName(given, known)).toBe(expected);
    expect(nearestName(given, ["description", "correlationId"])).toBeUndefined();
  });

  it("looks at no name that is too long to be a slip, however many are known", () => {
    const known = Array.from({ length: 1_000 }, (_, index) => `${"y".repeat(50)}${index}`);
    expect(nearestName("y".repeat(100_000), known)).toBeUndefined();
  });
});
