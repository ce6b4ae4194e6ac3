import { describe, expect, it } from "vitest";
import { TaskManager } from "../../src/index.js";
import { fixed } from "../../src/task/backoff.js";
import { BUILT_IN_SETTINGS, resolveSettings, type SettingsLayer } from "../../src/task/settings.js";
import { ManualClock } from "../../src/testing/index.js";

const own = () => 5;
const layers: readonly SettingsLayer[] = [
  { timeoutMs: 1, maxAttempts: 2, backoff: own, killAfterMs: 3 }, // the task
  { timeoutMs: 10, maxAttempts: 20, backoff: fixed({ delayMs: 1 }), killAfterMs: 30 }, // its handler
  { timeoutMs: false, maxAttempts: 200, backoff: fixed({ delayMs: 2 }), killAfterMs: 300 }, // its queue
  { timeoutMs: 1_000, maxAttempts: 2_000, backoff: fixed({ delayMs: 3 }), killAfterMs: 3_000 }, // the manager
];
const KEYS = ["timeoutMs", "maxAttempts", "backoff", "killAfterMs"] as const;

describe("resolveSettings", () => {
  it("has the built-in settings that DESIGN.md names", () => {
    expect(BUILT_IN_SETTINGS).toEqual({
      ...{ timeoutMs: 300_000, maxAttempts: 1, killAfterMs: 1_000 },
      backoff: { kind: "exponential", delayMs: 1_000, factor: 2, maxDelayMs: 60_000, jitter: "full" },
    });
  });

  it.each(KEYS)("takes %s from the first layer that says something", (key) => {
    for (let said = 0; said <= layers.length; said++) {
      const given = layers.map((layer, index) => (index < said ? {} : { [key]: layer[key] }));
      const expected = layers[said]?.[key] ?? BUILT_IN_SETTINGS[key];
      expect(resolveSettings(BUILT_IN_SETTINGS, ...given)).toEqual({ ...BUILT_IN_SETTINGS, [key]: expected });
    }
  });

  it("takes each setting by itself: one layer may say one thing, the next another", () => {
    const settings = resolveSettings(
      BUILT_IN_SETTINGS,
      { maxAttempts: 7 },
      { killAfterMs: 0, maxAttempts: 9 },
    );
    expect(settings).toEqual({ ...BUILT_IN_SETTINGS, maxAttempts: 7, killAfterMs: 0 });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  it("takes false and 0 for said, and undefined for not said", () => {
    const silent = { timeoutMs: undefined, killAfterMs: undefined };
    const settings = resolveSettings(BUILT_IN_SETTINGS, silent, { timeoutMs: false, killAfterMs: 0 });
    expect(settings).toMatchObject({ timeoutMs: false, killAfterMs: 0 });
  });

  it("gives back the complete layer itself where nothing else is said", () => {
    expect(resolveSettings(BUILT_IN_SETTINGS)).toBe(BUILT_IN_SETTINGS);
    expect(resolveSettings(BUILT_IN_SETTINGS, {}, { timeoutMs: undefined })).toBe(BUILT_IN_SETTINGS);
  });

  it("is what a manager resolves by: task, then queue, then manager, then built-in", async () => {
    const clock = new ManualClock();
    const tasks = new TaskManager({ clock, maxAttempts: 4, queues: { mail: { maxAttempts: 3 } } });
    const attempts = (options: object) => tasks.get(tasks.enqueue(() => 1, options).id)?.maxAttempts;
    expect(attempts({ queue: "mail", maxAttempts: 2 })).toBe(2);
    expect(attempts({ queue: "mail" })).toBe(3);
    expect(attempts({ queue: "other" })).toBe(4);
    expect(attempts({})).toBe(4);
    await tasks.stopNow();
    const plain = new TaskManager({ clock });
    expect(plain.get(plain.enqueue(() => 1).id)?.maxAttempts).toBe(1);
    await plain.stopNow();
  });
});
