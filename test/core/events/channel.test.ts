import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Channel, createResultTally } from "../../../src/core/events/channel.js";
import type { Overflow } from "../../../src/task/subscription.js";
import { collectGarbage } from "../collections/collect-garbage.js";
import { ChannelModel, type Held } from "./channel-model.js";

const OVERFLOWS: readonly Overflow[] = ["drop-newest", "drop-oldest", "block"];

interface Opened {
  readonly channel: Channel<Held>;
  readonly dropped: number[];
  /** Attempts that run, as far as the channel knows. */
  running: number;
}

function open(capacity: number, overflow: Overflow, maxBytes = Number.POSITIVE_INFINITY): Opened {
  const dropped: number[] = [];
  const opened: Opened = {
    channel: new Channel({
      ...{ capacity, maxBytes, overflow, total: createResultTally() },
      excess: () => opened.running,
      onDrop: ({ id }) => dropped.push(id),
    }),
    dropped,
    running: 0,
  };
  return opened;
}

function offer({ channel }: Opened, from: number, to: number, bytes = 0): void {
  for (let id = from; id <= to; id++) channel.offer({ id, bytes }, bytes);
}

function takeAll({ channel }: Opened): number[] {
  const taken: number[] = [];
  for (let one = channel.take(); one !== undefined; one = channel.take()) taken.push(one.id);
  return taken;
}

type Step =
  | { readonly do: "offer"; readonly bytes: readonly number[] }
  | { readonly do: "take"; readonly times: number }
  /** To readers that wait, once all that is held has been taken. */
  | { readonly do: "pass"; readonly bytes: readonly number[] }
  | { readonly do: "run"; readonly running: number }
  | { readonly do: "lift" | "clear" | "unblock" };

function steps(capacity: number): fc.Arbitrary<readonly Step[]> {
  const many = { maxLength: capacity + 8, size: "max" } as const;
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant("offer"), bytes: fc.array(fc.nat(12), many) }) },
    { weight: 8, arbitrary: fc.record({ do: fc.constant("take"), times: fc.nat(capacity + 4) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("pass"), bytes: fc.array(fc.nat(70), many) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("run"), running: fc.nat(6) }) },
    { weight: 3, arbitrary: fc.constant({ do: "lift" }) },
    { weight: 1, arbitrary: fc.constant({ do: "clear" }) },
  );
  const script = fc.array(step, { minLength: 10, maxLength: 40 });
  // A stop comes late, or not at all: after it nothing blocks any more.
  return fc
    .tuple(script, fc.option(script, { nil: [] }))
    .map(([first, second]) => [
      ...first,
      ...(second.length > 0 ? [{ do: "unblock" } as const] : []),
      ...second,
    ]);
}

/** `expect` takes longer than all else here. */
function same<T>(what: string, found: T, expected: T): void {
  if (found !== expected) expect.fail(`${what} is ${found} and not ${expected}`);
}

/** Plays a script on the channel and on the model, and compares them after each step. */
function play(capacity: number, overflow: Overflow, maxBytes: number, script: readonly Step[]): number {
  const opened = open(capacity, overflow, maxBytes);
  const { channel, dropped } = opened;
  const model = new ChannelModel(capacity, maxBytes, overflow);
  const bounded = maxBytes !== Number.POSITIVE_INFINITY;
  let ids = 0;
  for (const step of script) {
    switch (step.do) {
      case "offer":
        for (const bytes of step.bytes) {
          const one = { id: ++ids, bytes: bounded ? bytes : 0 };
          channel.offer(one, one.bytes);
          model.offer(one, opened.running);
          same("blocking", channel.blocking, model.blocking);
        }
        break;
      case "take":
        for (let time = 0; time < step.times; time++) {
          same("the one taken", channel.take()?.id, model.take(opened.running));
          same("blocking", channel.blocking, model.blocking);
        }
        break;
      case "pass":
        while (channel.size > 0) same("the one taken", channel.take()?.id, model.take(opened.running));
        for (const bytes of step.bytes) {
          const one = { id: ++ids, bytes: bounded ? bytes : 0 };
          const passed = channel.pass(one, one.bytes);
          model.offer(one, opened.running);
          same("the one passed", passed ? one.id : undefined, model.take(opened.running));
          same("blocking", channel.blocking, model.blocking);
        }
        break;
      case "run":
        opened.running = step.running;
        break;
      default:
        channel[step.do]();
        model[step.do]();
    }
    const { published, delivered } = channel.tally;
    same("published", published, model.published);
    same("delivered", delivered, model.delivered.length);
    same("dropped", channel.tally.dropped, model.dropped.length);
    same("size", channel.size, model.held.length);
    same("bytes", channel.bytes, model.bytes);
    same("blocking", channel.blocking, model.blocking);
    same("the sum", published, delivered + channel.tally.dropped + channel.size);
  }
  expect(dropped).toEqual(model.dropped);
  const left = model.held.map(({ id }) => id);
  expect(takeAll(opened)).toEqual(left);
  return dropped.length;
}

describe("S2: a channel does what its model does, at every capacity from 1 to 100", () => {
  describe.each(OVERFLOWS)("with the rule %s", (overflow) => {
    test.each([
      ["without a bound on bytes", Number.POSITIVE_INFINITY],
      ["within 60 bytes", 60],
    ])("%s", (_, maxBytes) => {
      let dropped = 0;
      for (let capacity = 1; capacity <= 100; capacity++) {
        const property = fc.property(steps(capacity), (script) => {
          dropped += play(capacity, overflow, maxBytes, script);
        });
        fc.assert(property, { numRuns: 10 });
      }
      expect(dropped).toBeGreaterThan(1_000); // the scripts do fill it
    });
  });
});

describe("a full channel", () => {
  test("drops the one that arrives, by the rule drop-newest", () => {
    const opened = open(3, "drop-newest");
    offer(opened, 1, 5);
    expect(opened.dropped).toEqual([4, 5]);
    expect(takeAll(opened)).toEqual([1, 2, 3]);
  });

  test("drops what has waited longest, by the rule drop-oldest", () => {
    const opened = open(3, "drop-oldest");
    offer(opened, 1, 5);
    expect(opened.dropped).toEqual([1, 2]);
    expect(takeAll(opened)).toEqual([3, 4, 5]);
  });

  test("blocks, and takes what runs at that moment but no more, by the rule block", () => {
    const opened = open(3, "block");
    opened.running = 2;
    offer(opened, 1, 2);
    expect(opened.channel.blocking).toBe(false);
    offer(opened, 3, 3);
    expect(opened.channel.blocking).toBe(true);
    opened.running = 9; // it was asked when it filled up
    offer(opened, 4, 6);
    expect(opened.dropped).toEqual([1]);
    expect(takeAll(opened)).toEqual([2, 3, 4, 5, 6]);
    expect(opened.channel.blocking).toBe(false);
  });

  test("that was lifted drops the oldest until something is taken, and may then block again", () => {
    const opened = open(3, "block");
    opened.running = 2;
    offer(opened, 1, 5);
    opened.channel.lift();
    expect(opened.channel.blocking).toBe(false);
    expect(opened.dropped).toEqual([1, 2]); // what it held beyond its capacity
    offer(opened, 6, 6);
    expect(opened.dropped).toEqual([1, 2, 3]);
    expect(opened.channel.blocking).toBe(false);
    expect(opened.channel.take()?.id).toBe(4);
    offer(opened, 7, 7);
    expect(opened.channel.blocking).toBe(true);
    expect(takeAll(opened)).toEqual([5, 6, 7]);
  });

  test("drops nothing when it is unblocked, and no more than it must after that", () => {
    const opened = open(2, "block");
    opened.running = 2;
    offer(opened, 1, 4);
    opened.channel.unblock();
    expect(opened.dropped).toEqual([]);
    expect(opened.channel.take()?.id).toBe(1);
    offer(opened, 5, 5);
    expect(opened.dropped).toEqual([2, 3]);
    expect(takeAll(opened)).toEqual([4, 5]);
  });
});

describe("a bound on bytes", () => {
  test.each(OVERFLOWS)("refuses one that is larger by itself, whatever room there is: %s", (overflow) => {
    const opened = open(10, overflow, 100);
    offer(opened, 1, 1, 101);
    offer(opened, 2, 2, 100);
    offer(opened, 3, 3, Number.POSITIVE_INFINITY); // one that cannot be measured
    expect(opened.dropped).toEqual([1, 3]);
    expect([opened.channel.bytes, opened.channel.blocking]).toEqual([100, overflow === "block"]);
  });

  test("makes room for a large one at the cost of several small ones, by the rule drop-oldest", () => {
    const opened = open(10, "drop-oldest", 100);
    offer(opened, 1, 5, 20);
    offer(opened, 6, 6, 50);
    expect(opened.dropped).toEqual([1, 2, 3]);
    expect(opened.channel.bytes).toBe(90);
  });

  test("keeps one that overflows it and blocks, by the rule block, since its task had run", () => {
    const opened = open(10, "block", 100);
    offer(opened, 1, 1, 60);
    expect(opened.channel.blocking).toBe(false);
    offer(opened, 2, 2, 60);
    expect([opened.channel.blocking, opened.channel.bytes]).toEqual([true, 120]);
    opened.channel.lift();
    expect([opened.dropped, opened.channel.bytes]).toEqual([[1], 60]);
  });
});

describe("what a channel holds on replay", () => {
  test("is what it has room for, since nothing that runs brought it about", () => {
    const opened = open(2, "block");
    opened.running = 5;
    const results = [1, 2, 3].map((id) => ({ id, bytes: 0 }));
    opened.channel.replay(results, []);
    expect(opened.dropped).toEqual([1]);
    expect(opened.channel.blocking).toBe(true);
    expect(opened.channel.tally).toEqual({ published: 3, delivered: 0, dropped: 1 });
  });

  test("is the first ones, by the rule drop-newest", () => {
    const opened = open(2, "drop-newest", 10);
    const results = [1, 2, 3].map((id) => ({ id, bytes: id * 3 }));
    opened.channel.replay(results, [3, 6, 9]);
    expect(opened.dropped).toEqual([3]);
    expect(opened.channel.bytes).toBe(9);
  });
});

/** A function of its own: a frame that goes on would keep the last one. */
function watch({ channel }: Opened, count: number): WeakRef<object>[] {
  return Array.from({ length: count }, (_, id) => {
    const one = { id, bytes: 1 };
    channel.offer(one, 1);
    return new WeakRef(one);
  });
}

test("a channel refers to nothing that was taken or dropped", async () => {
  const opened = open(4, "drop-oldest", 100);
  const refs = watch(opened, 10);
  opened.channel.take();
  await collectGarbage();
  expect(refs.map((ref) => ref.deref() !== undefined)).toEqual([...Array(7).fill(false), true, true, true]);
  opened.channel.clear();
  await collectGarbage();
  expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  expect(opened.dropped).toEqual([0, 1, 2, 3, 4, 5, 7, 8, 9]);
});
