import { describe, expect, test } from "vitest";
import { EVENTS, expectSound, MOST_REACTIONS, play, REACTIONS, setScene } from "../support/eventful-scene.js";

describe.each(["reject", "drop-oldest"] as const)("with whenFull: %s", (whenFull) => {
  test("the scene has every kind of event", async () => {
    const scene = setScene(whenFull);
    await play(scene);
    const expected = EVENTS.filter((type) => type !== "dropped" || whenFull === "drop-oldest");
    expect([...scene.seen].sort()).toEqual([...expected].sort());
    await expectSound(scene);
  });

  describe.each(EVENTS)("when a listener hears of %s", (type) => {
    test.each(Object.entries(REACTIONS))(
      "and %s, every task ends once and nothing is left",
      async (_, react) => {
        const scene = setScene(whenFull);
        let reactions = 0;
        scene.tasks.core.journal.events.subscribe((event) => {
          if (event.type === type && reactions++ < MOST_REACTIONS)
            react(scene, "task" in event ? event.task.id : "none");
        });
        await play(scene);
        await expectSound(scene);
      },
    );
  });

  test("listeners that throw at everything change no outcome, and are counted", async () => {
    const [quiet, hostile] = [setScene(whenFull), setScene(whenFull)];
    let heard = 0;
    hostile.tasks.core.journal.events.subscribe(() => {
      heard++;
      throw new Error("an observer that throws");
    });
    await play(quiet);
    await play(hostile);
    expect([...hostile.ends]).toEqual([...quiet.ends]);
    const { observerErrors, ...stats } = hostile.tasks.stats();
    expect(observerErrors).toBe(heard);
    expect(stats).toEqual({ ...quiet.tasks.stats(), observerErrors: undefined });
    await expectSound(hostile);
  });

  test("a listener that changes the event that it is given changes no outcome", async () => {
    const [quiet, hostile] = [setScene(whenFull), setScene(whenFull)];
    hostile.tasks.core.journal.events.subscribe((event) => {
      if (!("task" in event)) return;
      Object.assign(event.task, { state: "completed", priority: -9 });
    });
    await play(quiet);
    await play(hostile);
    expect([...hostile.ends]).toEqual([...quiet.ends]);
    await expectSound(hostile);
  });
});
