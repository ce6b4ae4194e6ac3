import { describe, expect, it } from "vitest";
import { ManagerStoppedError, type PauseOptions, type TaskManager } from "../../src/index.js";
import { createManager, rejectionOf, untilAborted } from "../support/manual-manager.js";

/** Both kinds of pause: that of all, and that of the queue in which the tasks of these tests are. */
const PAUSES: readonly (readonly [string, PauseOptions | undefined])[] = [
  ["all is paused", undefined],
  ["its queue is paused", { queue: "default" }],
];

/** With a task that takes 50 ms and fails at its first attempt, and is tried again after 10 ms. */
async function createFailing() {
  const { clock, tasks } = createManager({ maxAttempts: 2, backoff: () => 10, concurrency: 1 });
  const handle = tasks.enqueue(async ({ attempt }) => {
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 50));
    if (attempt === 1) throw new Error("fails");
    return "worked";
  });
  await clock.settle();
  return { clock, tasks, handle };
}

/** So long goes on what was accepted: until `killAfterMs` before the deadline. */
const STOP = { deadlineMs: 3_000 };
const ABORT_MS = 2_000;

async function expectFailureAsCause(handle: { result(): Promise<unknown> }): Promise<void> {
  const error = await rejectionOf(handle.result());
  expect(error).toBeInstanceOf(ManagerStoppedError);
  expect(error).toHaveProperty("cause", expect.objectContaining({ message: "fails" }));
}

function endOf(tasks: TaskManager, { id }: { readonly id: string }) {
  const { state, reason, attempt } = tasks.get(id) ?? {};
  return [state, reason, attempt];
}

describe.each(PAUSES)("a stop that begins where %s", (_, paused) => {
  it("ends a task that fails later, however many attempts it has left", async () => {
    const { clock, tasks, handle } = await createFailing();
    await tasks.pause(paused);
    const stopped = tasks.stopGraceful(STOP);
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, cancelled: 1, durationMs: 50 });
    expect(endOf(tasks, handle)).toEqual(["cancelled", "stopped", 1]);
  });

  it("ends it also where it is paused once more during the stop", async () => {
    const { clock, tasks, handle } = await createFailing();
    await tasks.pause(paused);
    const stopped = tasks.stopGraceful(STOP);
    await tasks.pause(paused);
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, cancelled: 1, durationMs: 50 });
    expect(endOf(tasks, handle)).toEqual(["cancelled", "stopped", 1]);
  });

  it("lets it be tried again where a resume comes before it fails", async () => {
    const { clock, tasks, handle } = await createFailing();
    await tasks.pause(paused);
    const stopped = tasks.stopGraceful(STOP);
    await clock.advance(40);
    tasks.resume(paused);
    await clock.advance(70);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1, durationMs: 110 });
    expect(await handle.result()).toBe("worked");
  });

  it("only holds it where it was resumed, and paused anew", async () => {
    const { clock, tasks, handle } = await createFailing();
    await tasks.pause(paused);
    const stopped = tasks.stopGraceful(STOP);
    tasks.resume(paused);
    await tasks.pause(paused);
    await clock.advance(1_000);
    expect(endOf(tasks, handle)).toEqual(["queued", undefined, 1]);
    tasks.resume(paused);
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1, durationMs: 1_050 });
  });
});

describe.each(PAUSES)("a stop in which %s later", (_, paused) => {
  it("holds what waits and what fails, until a resume", async () => {
    const { clock, tasks, handle } = await createFailing();
    const behind = tasks.enqueue(() => "waited");
    const stopped = tasks.stopGraceful(STOP);
    await tasks.pause(paused);
    await clock.advance(1_000);
    expect(endOf(tasks, handle)).toEqual(["queued", undefined, 1]);
    expect(endOf(tasks, behind)).toEqual(["queued", undefined, 0]);
    tasks.resume(paused);
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 2, completed: 2, durationMs: 1_050 });
    expect(await handle.result()).toBe("worked");
  });

  it("ends both at its abort where no resume comes", async () => {
    const { clock, tasks, handle } = await createFailing();
    const behind = tasks.enqueue(() => expect.unreachable("it was paused"));
    const stopped = tasks.stopGraceful(STOP);
    await tasks.pause(paused);
    await clock.advance(ABORT_MS);
    expect(await stopped).toMatchObject({ cancelled: 1, neverStarted: 1, durationMs: ABORT_MS });
    expect(endOf(tasks, handle)).toEqual(["cancelled", "stopped", 1]);
    expect(endOf(tasks, behind)).toEqual(["cancelled", "stopped", 0]);
  });

  it("ends at once what fails with no time for a retry", async () => {
    const { clock, tasks, handle } = await createFailing();
    const stopped = tasks.stopGraceful({ deadlineMs: 1_055 });
    await tasks.pause(paused);
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, cancelled: 1, durationMs: 50 });
    expect(endOf(tasks, handle)).toEqual(["cancelled", "stopped", 1]);
  });
});

describe.each(PAUSES)("a stop that begins where %s, with more than it ends in one turn", (_, paused) => {
  const MANY = 5_000;

  it("ends all that waited, also where a resume comes before it has come to each", async () => {
    const { clock, tasks } = createManager({ concurrency: 4 });
    await tasks.pause(paused);
    tasks.enqueueMany(Array.from({ length: MANY }, () => () => expect.unreachable("it had to end")));
    const stopped = tasks.stopGraceful(STOP);
    expect(tasks.stats().queued).toBeGreaterThan(0);
    tasks.resume(paused);
    await clock.advance(0);
    expect(await stopped).toMatchObject({ alive: MANY, neverStarted: MANY });
  });

  it("lets what ran be tried again after a resume, whatever it has not come to yet", async () => {
    const { clock, tasks } = createManager({ maxAttempts: 2, backoff: () => 0, concurrency: 1 });
    let fail: (error: Error) => void = () => {};
    const failed = new Promise<never>((__, reject) => {
      fail = reject;
    });
    const handle = tasks.enqueue(({ attempt }) => (attempt === 1 ? failed : "worked"));
    await clock.settle();
    await tasks.pause(paused);
    tasks.enqueueMany(Array.from({ length: MANY }, () => () => expect.unreachable("it had to end")));
    const stopped = tasks.stopGraceful(STOP);
    tasks.resume(paused);
    fail(new Error("fails"));
    expect(await handle.result()).toBe("worked");
    expect(tasks.stats().queued, "the test looks while the stop goes on").toBeGreaterThan(0);
    expect(await stopped).toMatchObject({ alive: MANY + 1, completed: 1, neverStarted: MANY });
  });
});

describe("the error of a task that a stop ended between two attempts", () => {
  it("has why it failed as its cause, where a pause holds it", async () => {
    const { clock, tasks, handle } = await createFailing();
    await tasks.pause();
    void tasks.stopGraceful(STOP);
    await clock.advance(50);
    await expectFailureAsCause(handle);
  });

  it("has it where it waited for its next attempt when the stop began", async () => {
    const { clock, tasks } = createManager({ maxAttempts: 2, backoff: () => 60_000 });
    const handle = tasks.enqueue(() => Promise.reject(new Error("fails")));
    await clock.settle();
    void tasks.stopGraceful(STOP);
    await expectFailureAsCause(handle);
  });

  it("has it where the abort of the stop came before its next attempt", async () => {
    const { clock, tasks } = createManager({ maxAttempts: 2, backoff: () => ABORT_MS - 1, concurrency: 1 });
    const handle = tasks.enqueue(() => Promise.reject(new Error("fails")));
    await clock.settle();
    tasks.enqueue(untilAborted);
    await clock.settle();
    void tasks.stopGraceful(STOP);
    await clock.advance(ABORT_MS);
    await expectFailureAsCause(handle);
  });

  it("has none where no attempt failed, or the last one was aborted", async () => {
    const { clock, tasks } = createManager({ maxAttempts: 3, backoff: () => 0, concurrency: 1 });
    const running = tasks.enqueue((context) => {
      if (context.attempt === 1) throw new Error("fails");
      return untilAborted(context);
    });
    const waiting = tasks.enqueue(() => expect.unreachable("another one runs"));
    await clock.settle();
    void tasks.stopNow();
    for (const handle of [running, waiting]) {
      const error = await rejectionOf(handle.result());
      expect(error).toBeInstanceOf(ManagerStoppedError);
      expect(error).not.toHaveProperty("cause");
    }
  });
});

describe("a stop with two pauses over one queue", () => {
  it("goes by the one that stood before, until that is lifted", async () => {
    const { clock, tasks, handle } = await createFailing();
    await tasks.pause({ queue: "default" });
    const stopped = tasks.stopGraceful(STOP);
    await tasks.pause();
    tasks.resume({ queue: "default" });
    await clock.advance(1_000);
    expect(endOf(tasks, handle)).toEqual(["queued", undefined, 1]);
    tasks.resume();
    await clock.advance(50);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1, durationMs: 1_050 });
  });
});

describe("a stop of a manager without pauses", () => {
  it("tries a task that fails again", async () => {
    const { clock, tasks, handle } = await createFailing();
    const stopped = tasks.stopGraceful(STOP);
    await clock.advance(110);
    expect(await stopped).toMatchObject({ alive: 1, completed: 1, durationMs: 110 });
    expect(await handle.result()).toBe("worked");
  });
});

it.each(PAUSES)("where %s, a resume comes too late from a listener of `stopping`", async (_, paused) => {
  const { clock, tasks } = createManager({ concurrency: 1 });
  const running = tasks.enqueue(async ({ stopping }) => {
    stopping.addEventListener("abort", () => tasks.resume(paused));
    await new Promise<void>((resolve) => clock.setTimeout(resolve, 50));
  });
  await clock.settle();
  await tasks.pause(paused);
  const waiting = tasks.enqueue(() => "ran");
  const stopped = tasks.stopGraceful(STOP);
  expect(await rejectionOf(waiting.result())).toBeInstanceOf(ManagerStoppedError);
  await clock.advance(50);
  expect(await stopped).toMatchObject({ alive: 2, completed: 1, neverStarted: 1 });
  await running.result();
});
