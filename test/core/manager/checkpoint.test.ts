import { describe, expect, test } from "vitest";
import { Checkpoint } from "../../../src/core/manager/checkpoint.js";
import { SignalListeners } from "../../../src/core/manager/signal-listeners.js";
import { QueueFullError } from "../../../src/errors.js";
import { rejectionOf } from "../../support/manual-manager.js";

const never = new Promise<never>(() => undefined);
const gone = (reason: unknown) => `gone: ${reason}`;

function createCheckpoint(capacity = 2) {
  return new Checkpoint(capacity, new SignalListeners());
}

describe("who waits at a checkpoint", () => {
  test("is given the answer, or what it was refused with, and waits no more", async () => {
    const checkpoint = createCheckpoint();
    const passed = checkpoint.wait(Promise.resolve("passed"), undefined, gone);
    const refused = rejectionOf(checkpoint.wait(Promise.reject("refused"), undefined, gone));
    expect(checkpoint.waiting).toBe(2);
    expect([await passed, await refused]).toEqual(["passed", "refused"]);
    expect(checkpoint.waiting).toBe(0);
  });

  test("goes when its signal aborts, and what is answered later changes nothing", async () => {
    const checkpoint = createCheckpoint();
    const controller = new AbortController();
    let answer: (value: string) => void = () => undefined;
    const late = new Promise<string>((resolve) => (answer = resolve));
    const waiting = rejectionOf(checkpoint.wait(late, controller.signal, gone));
    controller.abort("bored");
    expect(await waiting).toBe("gone: bored");
    answer("late");
    await late;
    expect(checkpoint.waiting).toBe(0);
  });

  test("goes at once when its signal has aborted before", async () => {
    const checkpoint = createCheckpoint();
    const waiting = checkpoint.wait(never, AbortSignal.abort("before"), gone);
    expect(checkpoint.waiting).toBe(0);
    expect(await rejectionOf(waiting)).toBe("gone: before");
  });

  test("is refused beyond capacity, and the others stay", async () => {
    const checkpoint = createCheckpoint(2);
    const others = [checkpoint.wait(never, undefined, gone), checkpoint.wait(never, undefined, gone)];
    const third = await rejectionOf(checkpoint.wait(Promise.reject("unheard"), undefined, gone));
    expect(third).toBeInstanceOf(QueueFullError);
    expect(third).toMatchObject({ capacity: 2 });
    expect(checkpoint.waiting).toBe(others.length);
  });

  test("is sent away when it closes, and so is who comes later", async () => {
    const checkpoint = createCheckpoint();
    const early = rejectionOf(checkpoint.wait(never, undefined, gone));
    checkpoint.close(() => "closed");
    const late = rejectionOf(checkpoint.wait(Promise.reject("unheard"), undefined, gone));
    expect([await early, await late, checkpoint.waiting]).toEqual(["closed", "closed", 0]);
  });
});
