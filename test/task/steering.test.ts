import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { cancelTask, findSteering, rateLimited, reschedule, skipRetry } from "../../src/task/steering.js";

/** An Error with so many causes below it, the last of which is given. */
function chain(depth: number, last: unknown): unknown {
  let link = last;
  for (let count = 0; count < depth; count++) link = new Error(`link ${count}`, { cause: link });
  return link;
}

describe("what steering is made with", () => {
  it("keeps what it was given, and has defaults", () => {
    expect(reschedule()).toMatchObject({ steering: "reschedule", delayMs: 0 });
    expect(reschedule({ delayMs: 5 })).toMatchObject({ delayMs: 5 });
    expect(rateLimited({ retryAfterMs: 5 })).toMatchObject({ retryAfterMs: 5, scope: "handler" });
    expect(rateLimited({ retryAfterMs: 0, scope: "all" })).toMatchObject({ retryAfterMs: 0, scope: "all" });
    const reason = { any: "thing" };
    expect(skipRetry(reason).cause).toBe(reason);
    expect(cancelTask(reason).reason).toBe(reason);
    for (const each of [reschedule(), rateLimited({ retryAfterMs: 5 }), skipRetry(), cancelTask()])
      expect(each).toBeInstanceOf(Error);
  });

  it("refuses what is no delay or scope", () => {
    for (const delayMs of [-1, Number.NaN, Number.POSITIVE_INFINITY, "5" as unknown as number]) {
      expect(() => reschedule({ delayMs })).toThrow(OptionError);
      expect(() => rateLimited({ retryAfterMs: delayMs })).toThrow(OptionError);
    }
    expect(() => rateLimited({} as { retryAfterMs: number })).toThrow("retryAfterMs");
    expect(() => rateLimited(undefined as unknown as { retryAfterMs: number })).toThrow("retryAfterMs");
    expect(() => rateLimited({ retryAfterMs: 5, scope: "world" as "all" })).toThrow(OptionError);
    expect(() => reschedule({ delay: 5 } as object)).toThrow("did you mean `delayMs`");
  });
});

describe("findSteering", () => {
  const steering = reschedule();

  it("finds it as it is and in a chain of causes, the outermost first", () => {
    expect(findSteering(steering)).toBe(steering);
    for (const depth of [1, 5, 15]) expect(findSteering(chain(depth, steering))).toBe(steering);
    expect(findSteering({ cause: { cause: steering } })).toBe(steering);
    expect(findSteering(skipRetry(steering))).toMatchObject({ steering: "skip-retry" });
  });

  it("looks no deeper than 16 links, and ends in chains that do not", () => {
    expect(findSteering(chain(16, steering))).toBeUndefined();
    const endless = new Error("round");
    endless.cause = endless;
    expect(findSteering(endless)).toBeUndefined();
    const growing = (): object => ({
      get cause() {
        return growing();
      },
    });
    expect(findSteering(growing())).toBeUndefined();
  });

  it("finds nothing in anything else, and never throws", () => {
    const boom = () => {
      throw new Error("boom");
    };
    const handlers = { get: boom, getPrototypeOf: boom, has: boom };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const nothing = [null, undefined, "text", 5, Symbol("s"), () => 1, {}, new Error("plain"), proxy];
    const hostile = [new Proxy({}, handlers), Object.defineProperty({}, "cause", { get: boom })];
    for (const thrown of [...nothing, ...hostile, new Error("outer", { cause: hostile[0] })])
      expect(findSteering(thrown)).toBeUndefined();
    expect(findSteering({ steering: "reschedule", delayMs: 5 })).toBeUndefined(); // only what was made here
  });
});
