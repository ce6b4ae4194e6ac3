import { describe, expect, it } from "vitest";
import { ManualClock } from "../../src/testing/index.js";

/** A clock and what its timers wrote down: a name with the time at which it was written. */
function withLog() {
  const clock = new ManualClock();
  const log: string[] = [];
  const note = (name: string) => () => {
    log.push(`${name} at ${clock.now()}`);
  };
  return { clock, log, note };
}

describe("ManualClock", () => {
  it("stands still until it is told to move", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(note("timer"), 1);
    expect(clock.now()).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(clock.now()).toBe(0);
    expect(log).toEqual([]);
  });

  it("fires what falls due within the span, by due time and then by creation, and nothing else", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(note("c"), 30);
    clock.setTimeout(note("a"), 10);
    clock.setTimeout(note("late"), 31);
    clock.setTimeout(note("b"), 20);
    clock.setTimeout(note("a2"), 10);
    await clock.advance(30);
    expect(log).toEqual(["a at 10", "a2 at 10", "b at 20", "c at 30"]);
    expect(clock.now()).toBe(30);
    expect(clock.timers).toBe(1);
    await clock.advance(0.5);
    expect(clock.now()).toBe(30.5);
    expect(log).toHaveLength(4);
    await clock.advance(100);
    expect(log.at(-1)).toBe("late at 31");
    expect(clock.now()).toBe(130.5);
  });

  it("fires a timer of no delay at the next advance, not at once", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(note("now"), 0);
    await clock.settle();
    expect(log).toEqual([]);
    await clock.advance(0);
    expect(log).toEqual(["now at 0"]);
  });

  it("fires timers that are started on the way, when they fall due within the span", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(() => {
      note("first")();
      clock.setTimeout(note("inside"), 5);
      clock.setTimeout(note("edge"), 10);
      clock.setTimeout(note("beyond"), 11);
    }, 10);
    clock.setTimeout(note("after"), 18);
    await clock.advance(20);
    expect(log).toEqual(["first at 10", "inside at 15", "after at 18", "edge at 20"]);
    expect(clock.timers).toBe(1);
  });

  it("lets promises settle before the next timer fires", async () => {
    const { clock, log, note } = withLog();
    const wait = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const work = async () => {
      for (const name of ["one", "two", "three"]) {
        await wait(10);
        await Promise.resolve();
        await new Promise<void>((resolve) => clock.setImmediate(resolve));
        note(name)();
      }
    };
    const done = work();
    await clock.advance(30);
    expect(log).toEqual(["one at 10", "two at 20", "three at 30"]);
    await done;
  });

  it("lets what was begun before advance start its timers before time moves", async () => {
    const { clock, log, note } = withLog();
    clock.setImmediate(() => clock.setTimeout(note("timer"), 10));
    await clock.advance(10);
    expect(log).toEqual(["timer at 10"]);
  });

  it("goes on with setImmediate while time stands still", async () => {
    const { clock, log, note } = withLog();
    clock.setImmediate(note("turn"));
    expect(log).toEqual([]);
    await clock.settle(1);
    expect(log).toEqual(["turn at 0"]);
  });

  it("settle lets chains of turns go on without moving time", async () => {
    const { clock, log, note } = withLog();
    clock.setImmediate(() => clock.setImmediate(() => clock.setImmediate(note("third turn"))));
    await clock.settle(2);
    expect(log).toEqual([]);
    await clock.settle();
    expect(log).toEqual(["third turn at 0"]);
  });

  it("does not fire what was cancelled, also when that happens on the way", async () => {
    const { clock, log, note } = withLog();
    const before = clock.setTimeout(note("before"), 5);
    const onTheWay = clock.setTimeout(note("on the way"), 10);
    clock.setTimeout(() => onTheWay.cancel(), 10 - 1);
    clock.setTimeout(note("kept"), 10);
    before.cancel();
    before.cancel();
    expect(clock.timers).toBe(3);
    await clock.advance(20);
    expect(log).toEqual(["kept at 10"]);
    expect(clock.timers).toBe(0);
  });

  it("takes cancel, ref and unref of a timer that has fired", async () => {
    const { clock, log, note } = withLog();
    const timer = clock.setTimeout(note("fired"), 1);
    clock.setTimeout(note("other"), 2);
    timer.ref();
    timer.unref();
    await clock.advance(1);
    timer.cancel();
    timer.ref();
    await clock.advance(1);
    expect(log).toEqual(["fired at 1", "other at 2"]);
  });

  it("rejects at once with what a callback throws, and can go on from there", async () => {
    const { clock, log, note } = withLog();
    const failure = new Error("from the callback");
    clock.setTimeout(() => {
      throw failure;
    }, 10);
    clock.setTimeout(note("later"), 20);
    await expect(clock.advance(50)).rejects.toBe(failure);
    expect(clock.now()).toBe(10);
    expect(log).toEqual([]);
    await clock.advance(40);
    expect(log).toEqual(["later at 20"]);
    expect(clock.now()).toBe(50);
  });

  it("refuses a second advance while one goes on, which is not disturbed", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(note("timer"), 10);
    const first = clock.advance(10);
    await expect(clock.advance(5)).rejects.toThrow("advancing already");
    await first;
    expect(log).toEqual(["timer at 10"]);
    expect(clock.now()).toBe(10);
    await clock.advance(5);
    expect(clock.now()).toBe(15);
  });

  it("block moves time without firing; what fell due fires late at the next advance", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(note("b"), 20);
    clock.setTimeout(note("a"), 10);
    clock.setTimeout(note("c"), 60);
    clock.block(50);
    await clock.settle();
    expect(clock.now()).toBe(50);
    expect(log).toEqual([]);
    await clock.advance(0);
    expect(log).toEqual(["a at 50", "b at 50"]);
    await clock.advance(10);
    expect(log.at(-1)).toBe("c at 60");
  });

  it("lets a callback block: what comes after it is late, and time does not go back", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(() => clock.block(100), 10);
    clock.setTimeout(note("late"), 20);
    await clock.advance(30);
    expect(log).toEqual(["late at 110"]);
    expect(clock.now()).toBe(110);
  });

  it("T7: shifts the calendar without touching durations or timers", async () => {
    const { clock, log, note } = withLog();
    const start = clock.wallNow();
    clock.setTimeout(note("timer"), 1_000);
    clock.shiftWall(-3_600_000);
    expect(clock.wallNow()).toBe(start - 3_600_000);
    expect(clock.now()).toBe(0);
    await clock.advance(1_000);
    expect(log).toEqual(["timer at 1000"]);
    expect(clock.wallNow()).toBe(start - 3_600_000 + 1_000);
    clock.shiftWall(7_200_000);
    expect(clock.wallNow()).toBe(start + 3_600_000 + 1_000);
    expect(clock.now()).toBe(1_000);
  });

  it("begins on the first of January 2026, or when it is told", async () => {
    expect(new Date(new ManualClock().wallNow()).toISOString()).toBe("2026-01-01T00:00:00.000Z");
    expect(new ManualClock({ wallNow: 5 }).wallNow()).toBe(5);
    expect(new ManualClock({ wallNow: undefined }).wallNow()).toBe(Date.UTC(2026, 0, 1));
    const clock = new ManualClock({ wallNow: new Date("2024-02-29T12:00:00Z") });
    await clock.advance(1_500);
    expect(new Date(clock.wallNow()).toISOString()).toBe("2024-02-29T12:00:01.500Z");
  });

  it("comes out even after waits that no number expresses", async () => {
    const { clock } = withLog();
    let fired = 0;
    const again = () => {
      fired += 1;
      clock.setTimeout(again, 1_000 / 3);
    };
    clock.setTimeout(again, 1_000 / 3);
    for (let second = 1; second <= 50; second += 1) {
      await clock.advance(1_000);
      expect(fired).toBe(3 * second);
      expect(clock.now()).toBe(1_000 * second);
    }
    for (let tenth = 0; tenth < 10; tenth += 1) await clock.advance(0.1);
    expect(clock.now()).toBe(50_001);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 30 + 1])("refuses a delay of %d", (delayMs) => {
    const clock = new ManualClock();
    expect(() => clock.setTimeout(() => {}, delayMs)).toThrow(RangeError);
    expect(clock.timers).toBe(0);
  });

  it("takes the longest delay of the port", async () => {
    const { clock, log, note } = withLog();
    clock.setTimeout(note("timer"), 2 ** 30);
    await clock.advance(2 ** 30);
    expect(log).toEqual([`timer at ${2 ** 30}`]);
  });

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("refuses to move by %d", async (ms) => {
    const clock = new ManualClock();
    await expect(clock.advance(ms)).rejects.toThrow(RangeError);
    expect(() => clock.block(ms)).toThrow(RangeError);
    expect(clock.now()).toBe(0);
    await clock.advance(1);
    expect(clock.now()).toBe(1);
  });

  it("refuses a calendar that is no time", () => {
    expect(() => new ManualClock({ wallNow: Number.NaN })).toThrow(RangeError);
    expect(() => new ManualClock({ wallNow: new Date("never") })).toThrow(RangeError);
    expect(() => new ManualClock().shiftWall(Number.NaN)).toThrow(RangeError);
  });

  it("tells when its next timer falls due", async () => {
    const { clock } = withLog();
    expect(clock.nextTimerAt).toBeUndefined();
    clock.setTimeout(() => {}, 20);
    const first = clock.setTimeout(() => {}, 10);
    expect(clock.nextTimerAt).toBe(10);
    first.cancel();
    expect(clock.nextTimerAt).toBe(20);
    clock.block(30);
    expect(clock.nextTimerAt).toBe(20);
    await clock.advance(0);
    expect(clock.nextTimerAt).toBeUndefined();
  });

  it("gives up on a chain of timers of no delay that has no end, and not on many at one instant", async () => {
    const { clock } = withLog();
    let fired = 0;
    for (let count = 0; count < 12_000; count++) clock.setTimeout(() => fired++, 5);
    await clock.advance(5);
    expect(fired).toBe(12_000);
    const again = () => {
      fired++;
      clock.setTimeout(again, 0);
    };
    again();
    await expect(clock.advance(1)).rejects.toThrow("10000 timers of no delay have fired at 5 ms");
    expect(fired).toBe(12_000 + 10_001);
    expect(clock.timers).toBe(1);
  });
});
