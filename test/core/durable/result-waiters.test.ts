import { defineHandlers, json, memoryBackend, TaskCancelledError, TaskManager } from "millrace";
import { ManualClock } from "millrace/testing";
import { expect, test } from "vitest";
import type { ReadOptions } from "../../../src/ports/backend-inspector.js";
import type { SignalListener } from "../../../src/ports/backend-signals.js";

const payload = json<string>();
const result = json<string>();
const contract = defineHandlers({ greet: { payload, result } });
const handlers = defineHandlers({ greet: { payload, result, run: async (name) => `hello, ${name}` } });

/** Lets everything happen for which no time has to pass. */
async function settle(clock: ManualClock): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await clock.advance(0);
}

test("a producer that consumes nothing hears at once that its task has ended elsewhere", async () => {
  const clock = new ManualClock();
  const backend = memoryBackend({ clock });
  const producer = new TaskManager({ handlers: contract, backend, consume: false, clock });
  const worker = new TaskManager({ handlers, backend: backend.connect(), clock, autoStart: false });

  const handle = await producer.enqueueDurable("greet", "ada");
  let greeting: string | undefined;
  void handle.result().then((value) => {
    greeting = value;
  });
  await clock.advance(1_000); // it has looked, in vain, and would look again after ever longer pauses
  await settle(clock);
  expect(greeting).toBeUndefined();

  worker.start();
  await settle(clock);
  expect(greeting).toBe("hello, ada");
  await Promise.all([producer.stopNow(), worker.stopNow()]);
});

test("what signals do not tell is asked for, and a stop ends the hearing", async () => {
  const clock = new ManualClock();
  const backend = memoryBackend({ clock });
  let listening = 0;
  const listen = () => {
    listening++;
    return () => void listening--;
  };
  const deaf = Object.assign(backend.connect(), { signals: { listen } });
  const producer = new TaskManager({ handlers: contract, backend: deaf, consume: false, clock });
  const worker = new TaskManager({ handlers, backend: backend.connect(), clock });
  const handles = await Promise.all(["ada", "bo"].map((name) => producer.enqueueDurable("greet", name)));
  const greetings = Promise.all(handles.map((handle) => handle.result()));
  await settle(clock);
  expect(listening).toBe(1); // of one queue, once
  await clock.advance(5_000);
  await settle(clock);
  expect(await greetings).toEqual(["hello, ada", "hello, bo"]);

  const waits = producer.handle("greet", handles[0]?.id ?? "").result();
  expect(await waits).toBe("hello, ada");
  await Promise.all([producer.stopNow(), worker.stopNow()]);
  expect(listening).toBe(0);
});

/** A producer on a memory backend, with which queues it hears, and which tasks it asks after. */
function createProducer() {
  const clock = new ManualClock();
  const backend = memoryBackend({ clock });
  const heard = new Set<string>();
  const asked: string[] = [];
  const { signals, inspector } = backend;
  const observed = Object.assign(backend, {
    signals: {
      listen: (queues: readonly string[], listener: SignalListener) => {
        const stop = signals.listen(queues, listener);
        for (const queue of queues) heard.add(queue);
        return () => {
          for (const queue of queues) heard.delete(queue);
          stop();
        };
      },
    },
    inspector: Object.assign(Object.create(inspector), {
      read: (ids: readonly string[], options: ReadOptions) => {
        asked.push(...ids);
        return inspector.read(ids, options);
      },
    }),
  });
  const producer = new TaskManager({ handlers: contract, backend: observed, consume: false, clock });
  return { asked, clock, heard, producer };
}

test("a queue for which nobody waits any more makes room for another", async () => {
  const { clock, heard, producer } = createProducer();
  const wait = async (queue: string) => {
    const handle = await producer.enqueueDurable("greet", "ada", { queue });
    let rejection: unknown;
    handle.result().catch((error: unknown) => {
      rejection = error;
    });
    await settle(clock);
    return { cancel: () => handle.cancel(), rejection: () => rejection };
  };
  const waits = [];
  for (let index = 0; index < 1_000; index++) waits.push(await wait(`queue-${index}`));
  const one = await wait("one-more");
  expect(heard.size).toBe(1_000);
  expect(heard).not.toContain("one-more");

  await waits[7]?.cancel();
  await waits[5]?.cancel();
  await settle(clock);
  const two = await wait("two-more");
  expect(heard.size).toBe(1_000);
  expect(heard).toContain("two-more");
  expect(heard).not.toContain("queue-7"); // nobody has waited there for longest
  expect(heard).toContain("queue-5");
  await two.cancel();
  await settle(clock);
  expect(two.rejection()).toBeInstanceOf(TaskCancelledError); // heard at once

  const three = await wait("one-more"); // there is room for it now
  expect(heard).toContain("one-more");
  await three.cancel();
  await settle(clock);
  expect(three.rejection()).toBeInstanceOf(TaskCancelledError);
  expect(one.rejection()).toBeUndefined();
  await wait("four-more");
  const five = await wait("five-more");
  expect(heard).not.toContain("five-more");
  await five.cancel();
  await settle(clock);
  expect(five.rejection()).toBeUndefined();
  await clock.advance(5_250);
  await settle(clock);
  expect(five.rejection()).toBeInstanceOf(TaskCancelledError); // asked after
  await producer.stopNow();
  expect(heard.size).toBe(0);
});

test("a task that takes long is seldom asked after, however many others end meanwhile", async () => {
  const { asked, clock, producer } = createProducer();
  const long = await producer.enqueueDurable("greet", "ada", { id: "long" });
  void long.result().catch(() => {});
  for (let index = 0; index < 300; index++) {
    const short = await producer.enqueueDurable("greet", "bo");
    const ended = expect(short.result()).rejects.toThrow(TaskCancelledError);
    await settle(clock);
    await short.cancel();
    await ended;
    await clock.advance(100);
  }
  // After 0, 250, 750, 1,750, 3,750, 7,750 ms, then each five seconds, and a bit later for being asked after together.
  expect(asked.filter((id) => id === long.id).length).toBeGreaterThanOrEqual(9);
  expect(asked.filter((id) => id === long.id).length).toBeLessThanOrEqual(11);
  await producer.stopNow();
});
