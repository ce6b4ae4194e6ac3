import { defineHandlers, json, memoryBackend, TaskManager } from "millrace";
import { ManualClock } from "millrace/testing";
import { expect, test } from "vitest";

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
