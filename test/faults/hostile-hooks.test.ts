import { describe, expect, test } from "vitest";
import type { Hooks } from "../../src/index.js";
import type { TaskEventType } from "../../src/task/task-event.js";
import {
  EVENTS,
  expectSound,
  MOST_REACTIONS,
  play,
  REACTIONS,
  type Scene,
  setScene,
} from "../support/eventful-scene.js";

const HOOKS = {
  queued: "onQueued",
  scheduled: "onScheduled",
  started: "onStarted",
  progress: "onProgress",
  retried: "onRetried",
  rescheduled: "onRescheduled",
  finished: "onFinished",
  dropped: "onTaskDropped",
  abandoned: "onAbandoned",
  resultDropped: "onResultDropped",
  stopping: "onStopping",
} as const satisfies Record<(typeof EVENTS)[number], keyof Hooks>;

/** What a hook is given first, where it is told of a task. */
const idOf = (given: unknown) =>
  typeof given === "object" && given !== null && "id" in given ? String(given.id) : "none";

/** One function for all hooks. */
function everyHook(hook: (name: keyof Hooks, given: readonly unknown[]) => unknown): Hooks {
  const names = Object.values(HOOKS);
  return Object.fromEntries(names.map((name) => [name, (...given: unknown[]) => hook(name, given)]));
}

/** What a scene did, of which hooks must change nothing. */
const outcomeOf = ({ ends, tasks }: Scene) => ({ ends: [...ends], total: tasks.stats().total });

describe.each(["reject", "drop-oldest"] as const)("with whenFull: %s", (whenFull) => {
  test("I17: hooks are told of all that happens, in its order", async () => {
    const told: string[] = [];
    const hooks = everyHook((name, [given]) => told.push(`${name} ${idOf(given)}`));
    const scene = setScene(whenFull, { hooks });
    const events: string[] = [];
    scene.tasks.core.journal.events.subscribe((event) => {
      events.push(`${HOOKS[event.type as keyof typeof HOOKS]} ${idOf("task" in event ? event.task : event)}`);
    });
    await play(scene);
    expect(told).toEqual(events);
    expect(told.length).toBeGreaterThan(100);
    expect(scene.tasks.stats()).toMatchObject({ observerErrors: 0, waitingHookCalls: 0 });
    await expectSound(scene);
  });

  const kinds: readonly (TaskEventType & keyof typeof HOOKS)[] = EVENTS;
  describe.each(kinds.map((type) => HOOKS[type]))("when %s", (name) => {
    test.each(Object.entries(REACTIONS))("%s, every task ends once and nothing is left", async (_, react) => {
      let reactions = 0;
      const hook = (given: unknown) => {
        if (reactions++ < MOST_REACTIONS) react(scene, idOf(given));
      };
      const scene = setScene(whenFull, { hooks: { [name]: hook } });
      await play(scene);
      await expectSound(scene);
    });
  });

  test.each<[string, (given: readonly unknown[]) => unknown]>([
    [
      "throw",
      () => {
        throw new Error("a hook that throws");
      },
    ],
    ["reject", () => Promise.reject(new Error("a hook that rejects"))],
    ["reject with nothing", () => Promise.reject(undefined)],
    ["never settle", () => new Promise(() => {})],
    ["give what breaks when it is awaited", () => ({ then: () => JSON.parse("{") })],
    ["change what they are given", ([given]) => Object.assign(given as object, { state: "completed" })],
    ["observe and dispose", () => undefined],
  ])(
    "hooks that %s change no outcome, and what they throw is counted and reported once",
    async (how, act) => {
      let [calls, reports] = [0, 0];
      const hooks = everyHook((_, given) => {
        calls++;
        if (how === "observe and dispose") hostile.tasks.observe(hooks)[Symbol.dispose]();
        return act(given);
      });
      const quiet = setScene(whenFull);
      const hostile = setScene(whenFull, { hooks, onObserverError: () => reports++ });
      await play(quiet);
      await play(hostile);
      await hostile.clock.settle();
      expect(outcomeOf(hostile)).toEqual(outcomeOf(quiet));
      expect(calls).toBeGreaterThan(100);
      const isQuiet = how === "never settle" || how === "observe and dispose";
      expect(hostile.tasks.stats().observerErrors).toBe(isQuiet ? 0 : calls);
      expect(reports).toBe(isQuiet ? 0 : calls);
      await expectSound(hostile);
    },
  );
});
