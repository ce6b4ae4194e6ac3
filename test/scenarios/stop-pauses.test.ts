import { describe, expect, it } from "vitest";
import type { PauseOptions, TaskManager } from "../../src/index.js";
import { createManager } from "../support/manual-manager.js";

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
