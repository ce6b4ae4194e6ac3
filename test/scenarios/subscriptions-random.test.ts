import { expect, test } from "vitest";
import type { Overflow, Subscription } from "../../src/index.js";
import { seededRandom } from "../../src/testing/index.js";
import { ChannelModel } from "../core/events/channel-model.js";
import { ResultScene } from "../support/result-scene.js";

const OPERATIONS = 1_000_000;
const SEEDS = [1, 2, 3, 4];
const MOST_OPEN = 8;
const OVERFLOWS: readonly Overflow[] = ["drop-newest", "drop-oldest", "block"];
const BLOCK_TIMEOUT_MS = 10;

/** One subscription, what it is to do, and what its reads have brought. */
class Subscriber {
  readonly subscription: Subscription;
  readonly model: ChannelModel;
  /** The n-th read is to bring the n-th of these; null for the end. */
  readonly expected: (number | null)[] = [];
  /** Undefined while nothing has come. */
  readonly reads: { brought: number | null | undefined }[] = [];
  waiting = 0;
  closed = false;

  constructor(subscription: Subscription, model: ChannelModel) {
    this.subscription = subscription;
    this.model = model;
  }

  publish(id: number, running: number): void {
    if (this.closed) return;
    this.model.offer({ id, bytes: 0 }, running);
    if (this.waiting === 0) return;
    this.waiting--;
    this.expected.push(this.model.take(running) ?? null);
  }

  read(running: number): void {
    const read: Subscriber["reads"][number] = { brought: undefined };
    this.reads.push(read);
    void this.subscription.next().then(({ value }) => {
      read.brought = value === undefined ? null : Number(value.value);
    });
    const one = this.model.take(running);
    if (one !== undefined) this.expected.push(one);
    else if (this.closed) this.expected.push(null);
    else this.waiting++;
  }

  end(): void {
    this.closed = true;
    this.model.unblock();
    while (this.waiting > 0) {
      this.expected.push(null);
      this.waiting--;
    }
  }

  /** Every read that was to bring something has brought it, and no other. */
  check(): void {
    const due = this.reads.splice(0, this.expected.length).map(({ brought }) => brought);
    if (due.some((one, index) => one !== this.expected[index])) expect(due).toEqual(this.expected);
    this.expected.length = 0;
    if (this.reads.length !== this.waiting) expect.fail("a read is unaccounted for");
    if (this.reads.some(({ brought }) => brought !== undefined)) {
      expect.fail("a read has brought something that was not published");
    }
    const { published, delivered, dropped, buffered } = this.subscription;
    const { model } = this;
    const same =
      published === model.published &&
      delivered === model.delivered.length &&
      dropped === model.dropped.length &&
      buffered === model.held.length;
    if (!same) expect({ published, delivered, dropped, buffered }).toEqual(model);
  }
}

async function run(seed: number, operations: number): Promise<Record<string, number>> {
  const random = seededRandom(seed);
  const below = (bound: number) => Math.floor(random.next() * bound);
  const scene = new ResultScene();
  const open: Subscriber[] = [];
  const ended: Subscriber[] = [];
  const totals = { published: 0, delivered: 0, dropped: 0 };
  let ids = 0;
  const settle = async (advanceMs: number) => {
    await scene.clock.settle(1);
    for (const one of [...open, ...ended]) one.check();
    for (const { subscription } of ended.splice(0)) {
      totals.published += subscription.published;
      totals.delivered += subscription.delivered;
      totals.dropped += subscription.dropped + subscription.buffered;
      await subscription.return();
    }
    if (advanceMs === 0) return;
    const blocking = open.filter(({ model }) => model.blocking);
    await scene.clock.advance(advanceMs);
    for (const { model } of blocking) model.lift();
  };
  const subscribe = () => {
    const overflow = OVERFLOWS[below(3)] ?? "block";
    const capacity = 1 + below(6);
    const blockTimeoutMs = overflow === "block" ? BLOCK_TIMEOUT_MS : undefined;
    const subscription = scene.subscribe({ overflow, capacity, blockTimeoutMs });
    open.push(new Subscriber(subscription, new ChannelModel(capacity, Number.POSITIVE_INFINITY, overflow)));
  };
  const end = (how: number) => {
    const [one] = open.splice(below(open.length), 1);
    if (one === undefined) return;
    if (how === 0) {
      one.subscription.close();
      one.end();
    } else {
      void one.subscription.return();
      one.end();
      one.model.clear();
    }
    for (let left = below(4); left > 0; left--) one.read(scene.running);
    ended.push(one);
  };
  for (let operation = 0; operation < operations; operation++) {
    if (operation % 500 === 499) await settle(below(4) === 0 ? BLOCK_TIMEOUT_MS : 0);
    const dice = below(100);
    if (dice < 40) {
      scene.running = below(4);
      scene.finish(++ids);
      for (const one of open) one.publish(ids, scene.running);
    } else if (dice < 90) {
      open[below(open.length)]?.read(scene.running);
    } else if (dice < 95) {
      if (open.length < MOST_OPEN) subscribe();
    } else {
      if (open.length > MOST_OPEN / 2) end(below(2));
    }
    if (scene.results.blocking !== open.some(({ model }) => model.blocking)) {
      expect.fail(`operation ${operation} of seed ${seed}: somebody is wrong about who blocks`);
    }
  }
  while (open.length > 0) end(below(2));
  await settle(0);
  expect(scene.results.tally).toEqual(totals);
  expect([scene.alarms.size, scene.events.active, scene.results.blocking]).toEqual([0, false, false]);
  return totals;
}

test.each(SEEDS)(
  `S3: ${OPERATIONS / SEEDS.length} operations of seed %i lose no wake-up, bring nothing after the end, and count exactly`,
  { timeout: 120_000 },
  async (seed) => {
    const { published = 0, delivered = 0, dropped = 0 } = await run(seed, OPERATIONS / SEEDS.length);
    expect(published).toBe(delivered + dropped);
    expect(delivered).toBeGreaterThan(10_000);
    expect(dropped).toBeGreaterThan(10_000);
  },
);
