import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Alarm, Alarms } from "../../../src/core/manager/alarms.js";
import type { Timer } from "../../../src/ports/clock.js";
import { ManualClock } from "../../../src/testing/index.js";

/** A clock that tells which delays it was asked for. */
class RecordingClock extends ManualClock {
  readonly delays: number[] = [];
  readonly exact: boolean[] = [];

  override setTimeout(callback: () => void, delayMs: number, isExact = false): Timer {
    this.delays.push(delayMs);
    this.exact.push(isExact);
    return super.setTimeout(callback, delayMs);
  }
}

function createAlarms() {
  const clock = new RecordingClock();
  const alarms = new Alarms(clock);
  const rung: string[] = [];
  const alarm = (name: string, act?: (now: number) => void): Alarm => ({
    alarmTicket: -1,
    ring: (now) => {
      rung.push(`${name} at ${now}`);
      act?.(now);
    },
  });
  return { clock, alarms, rung, alarm };
}

describe("Alarms", () => {
  it("ring at their instant, in order of time and then of setting, behind one timer", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    for (const [name, at] of [
      ["a", 30],
      ["b", 10],
      ["c", 30],
      ["d", 20],
      ["e", 10],
    ] as const)
      alarms.set(alarm(name), at);
    expect([alarms.size, clock.timers]).toEqual([5, 1]);
    await clock.advance(9);
    expect(rung).toEqual([]);
    await clock.advance(30);
    expect(rung).toEqual(["b at 10", "e at 10", "d at 20", "a at 30", "c at 30"]);
    expect([alarms.size, clock.timers]).toEqual([0, 0]);
  });

  it("ask for an exact timer where the first of them wants one", async () => {
    const { clock, alarms, alarm } = createAlarms();
    alarms.set({ ...alarm("usual"), isExact: false }, 30);
    alarms.set({ ...alarm("exact"), isExact: true }, 20);
    alarms.set(alarm("first"), 10);
    expect(clock.exact).toEqual([false, true, false]);
    await clock.advance(30);
    expect(clock.exact, "each when the one before has rung").toEqual([false, true, false, true, false]);
  });

  it("moves an alarm that is set again, sooner or later, and rings it once", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    const [sooner, later] = [alarm("sooner"), alarm("later")];
    alarms.set(sooner, 50);
    alarms.set(later, 50);
    alarms.set(sooner, 20);
    alarms.set(later, 80);
    await clock.advance(100);
    expect(rung).toEqual(["sooner at 20", "later at 80"]);
    alarms.set(sooner, 150);
    await clock.advance(100);
    expect(rung).toHaveLength(3);
  });

  it("rings at the next turn what is set for now or before", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    await clock.advance(10);
    alarms.set(alarm("now"), 10);
    alarms.set(alarm("past"), 3);
    alarms.set(alarm("long past"), Number.NEGATIVE_INFINITY);
    expect(rung).toEqual([]);
    await clock.advance(0);
    expect(rung).toEqual(["long past at 10", "past at 10", "now at 10"]);
  });

  it("does not ring what was cleared, and clears what is not set for nothing", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    const cleared = alarm("cleared");
    alarms.clear(cleared);
    alarms.set(cleared, 10);
    alarms.set(alarm("kept"), 20);
    alarms.clear(cleared);
    alarms.clear(cleared);
    expect(cleared.alarmTicket).toBe(-1);
    await clock.advance(50);
    expect(rung).toEqual(["kept at 20"]);
  });

  it("waits in hops of less than 2^30 ms, and rings neither early nor late", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    const far = 2 ** 40 + 0.5;
    alarms.set(alarm("far"), far);
    await clock.advance(far - 1);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual([`far at ${far}`]);
    expect(Math.max(...clock.delays)).toBeLessThan(2 ** 30);
    expect(clock.delays.length).toBeGreaterThan(1_000);
    expect(clock.timers).toBe(0);
  });

  it("never asks for an endless or negative delay", async () => {
    const { clock, alarms, alarm } = createAlarms();
    alarms.set(alarm("never"), Number.POSITIVE_INFINITY);
    alarms.set(alarm("past"), -5);
    await clock.advance(2 ** 33);
    for (const delay of clock.delays) expect(delay).toBeGreaterThanOrEqual(0);
    expect(alarms.size).toBe(1);
  });

  it("rings again when its timer was early by a part of a millisecond", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    alarms.set(alarm("a"), 10.4);
    await clock.advance(10.3);
    expect(rung).toEqual([]);
    await clock.advance(0.1);
    expect(rung).toEqual(["a at 10.4"]);
  });

  it("rings what is late once, with the present instant", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    alarms.set(alarm("a"), 10);
    alarms.set(alarm("b"), 20);
    clock.block(100);
    await clock.advance(0);
    expect(rung).toEqual(["a at 100", "b at 100"]);
  });

  it("heeds alarms that are cleared, moved or set by those that ring with them", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    const [cleared, moved, reset] = [alarm("cleared"), alarm("moved"), alarm("reset")];
    alarms.set(
      alarm("first", (now) => {
        alarms.clear(cleared);
        alarms.set(moved, now + 5);
        alarms.clear(reset);
        alarms.set(reset, now);
        alarms.set(alarm("new"), now);
      }),
      10,
    );
    for (const each of [cleared, moved, reset]) alarms.set(each, 10);
    await clock.advance(10);
    expect(rung).toEqual(["first at 10", "reset at 10", "new at 10"]);
    await clock.advance(5);
    expect(rung.at(-1)).toBe("moved at 15");
    expect(clock.timers).toBe(0);
  });

  it("leaves no timer behind when an alarm is set for now while others ring", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    alarms.set(
      alarm("first", (now) => alarms.set(alarm("second"), now)),
      10,
    );
    alarms.set(alarm("far"), 1_000);
    await clock.advance(500);
    expect(rung).toEqual(["first at 10", "second at 10"]);
    expect(clock.timers).toBe(1);
    alarms.close();
    expect(clock.timers).toBe(0);
  });

  it("rings a chain of alarms for now in turns, so that the event loop goes on", async () => {
    const { clock, alarms, alarm } = createAlarms();
    let rings = 0;
    const chain = alarm("chain", (now) => {
      if (++rings < 50) alarms.set(chain, now);
    });
    alarms.set(chain, 10);
    const order: number[] = [];
    clock.setTimeout(() => setImmediate(() => order.push(rings)), 10);
    await clock.advance(10);
    await clock.settle(60);
    expect(rings).toBe(50);
    expect(order[0]).toBeLessThan(50);
  });

  it("rings 1,000 in a turn and the rest in the next ones, all at their instant", async () => {
    const { clock, alarms } = createAlarms();
    const perTurn: number[] = [];
    let count = 0;
    const ring = () => void count++;
    for (let index = 0; index < 3_500; index++) alarms.set({ alarmTicket: -1, ring }, 10);
    clock.setTimeout(() => perTurn.push(count), 10); // after the alarms' own timer
    const watch = () => {
      perTurn.push(count);
      if (count < 3_500) setImmediate(watch);
    };
    setImmediate(watch);
    await clock.advance(10);
    await clock.settle(5);
    expect(count).toBe(3_500);
    const steps = perTurn.map((total, index) => total - (perTurn[index - 1] ?? 0));
    expect(Math.max(...steps)).toBe(1_000);
  });

  it("rings the others, and later ones, when one throws", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    alarms.set(alarm("first"), 10);
    alarms.set(
      alarm("broken", () => {
        throw new Error("broken");
      }),
      10,
    );
    alarms.set(alarm("third"), 10);
    alarms.set(alarm("later"), 20);
    await expect(clock.advance(10)).rejects.toThrow("broken");
    await clock.advance(10);
    expect(rung).toEqual(["first at 10", "broken at 10", "third at 10", "later at 20"]);
  });

  it("forgets everything when it is closed, and takes nothing more", async () => {
    const { clock, alarms, rung, alarm } = createAlarms();
    const set = alarm("set");
    alarms.set(set, 10);
    alarms.close();
    expect([set.alarmTicket, alarms.size, clock.timers]).toEqual([-1, 0, 0]);
    alarms.set(alarm("late"), 20);
    expect(clock.timers).toBe(0);
    await clock.advance(50);
    expect(rung).toEqual([]);
  });

  it("does what a list of instants does, whatever is set, moved and cleared", async () => {
    const step = fc.record({
      which: fc.integer({ min: 0, max: 7 }),
      at: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
      pass: fc.integer({ min: 0, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { clock, alarms, rung, alarm } = createAlarms();
        const all = Array.from({ length: 8 }, (_, index) => alarm(`${index}`));
        const model = new Map<number, { at: number; order: number }>();
        const expected: string[] = [];
        let order = 0;
        const passTime = async (ms: number) => {
          const until = clock.now() + ms;
          const due = [...model].filter(([, { at }]) => at <= until);
          due.sort(([, a], [, b]) => a.at - b.at || a.order - b.order);
          for (const [which, { at }] of due) {
            expected.push(`${which} at ${Math.max(at, clock.now())}`);
            model.delete(which);
          }
          await clock.advance(ms);
        };
        for (const { which, at, pass } of steps) {
          const each = all[which] as Alarm;
          if (at === undefined) {
            alarms.clear(each);
            model.delete(which);
          } else {
            alarms.set(each, at);
            model.set(which, { at, order: ++order });
          }
          await passTime(pass);
        }
        await passTime(50);
        expect(rung).toEqual(expected);
        expect([alarms.size, clock.timers]).toEqual([0, 0]);
      }),
      { numRuns: 100 },
    );
  });
});
