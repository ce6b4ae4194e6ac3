import { describe, expect, onTestFinished, test } from "vitest";
import {
  BackendMissingError,
  defineHandlers,
  json,
  memoryBackend,
  TaskManager,
  type TaskManagerOptions,
} from "../../src/index.js";
import { createManager, rejectionOf, thrownBy } from "../support/manual-manager.js";

const handlers = defineHandlers({
  add: { payload: json<{ a: number; b: number }>(), run: ({ a, b }) => a + b },
});
const payload = { a: 1, b: 2 };

describe("durable calls on a manager without a backend", () => {
  test("are refused where the compiler cannot know, and leave nothing behind", async () => {
    // The handlers are written, so that there may be a backend.
    const { tasks } = createManager<typeof handlers>({ handlers });
    const refusals = [
      await rejectionOf(tasks.enqueueDurable("add", payload)),
      await rejectionOf(tasks.enqueueDurableMany([["add", payload]])),
      await rejectionOf(tasks.enqueueDurableMany([])),
      await rejectionOf(tasks.replayDeadLetters({ ids: ["default:1"] })),
      thrownBy(() => tasks.handle("add", "default:1")),
    ];
    for (const refusal of refusals) {
      expect(refusal).toBeInstanceOf(BackendMissingError);
      expect(refusal).toMatchObject({ message: expect.stringContaining("`backend` option") });
    }
    expect(tasks.list()).toEqual([]);
    expect(tasks.stats().total.enqueued).toBe(0);
    expect(await tasks.execute("add", payload)).toBe(3);
  });

  test("do not compile where it can, and are refused all the same", async () => {
    const tasks = new TaskManager({ handlers });
    onTestFinished(async () => void (await tasks.stopNow()));
    // @ts-expect-error: this manager has no backend
    const one = tasks.enqueueDurable("add", payload);
    // @ts-expect-error: this manager has no backend
    const many = tasks.enqueueDurableMany([["add", payload]]);
    // @ts-expect-error: this manager has no backend
    const replay = tasks.replayDeadLetters({ ids: ["default:1"] });
    // @ts-expect-error: this manager has no backend
    const found = () => tasks.handle("add", "default:1");
    expect(await rejectionOf(one)).toBeInstanceOf(BackendMissingError);
    expect(await rejectionOf(many)).toBeInstanceOf(BackendMissingError);
    expect(await rejectionOf(replay)).toBeInstanceOf(BackendMissingError);
    expect(thrownBy(found)).toBeInstanceOf(BackendMissingError);
  });

  test("are refused from inside of a handler, which goes on", async () => {
    const { tasks } = createManager({ handlers });
    const refusal = tasks.execute(async ({ enqueueDurable }) => {
      return { refusal: await rejectionOf(enqueueDurable("add", payload)) };
    });
    expect(await refusal).toEqual({ refusal: expect.any(BackendMissingError) });
  });

  test.each([
    ["is there", { backend: memoryBackend() }],
    ["is not", { backend: undefined }],
  ] as const)("go by a configuration, where the backend of it %s", async (_, { backend }) => {
    const options: TaskManagerOptions<typeof handlers> = { handlers, backend };
    const tasks = new TaskManager(options);
    onTestFinished(async () => void (await tasks.stopNow()));
    const sum = tasks.enqueueDurable("add", payload).then((handle) => handle.result());
    if (backend === undefined) expect(await rejectionOf(sum)).toBeInstanceOf(BackendMissingError);
    else expect(await sum).toBe(3);
  });
});

describe("one backend for two managers", () => {
  test("is refused, and the first one goes on with it", async () => {
    const backend = memoryBackend();
    const first = new TaskManager({ handlers, backend });
    onTestFinished(async () => void (await first.stopNow()));
    const refusal = thrownBy(() => new TaskManager({ handlers, backend, consume: false }));
    expect(refusal).toMatchObject({ code: "MILLRACE_OPTION", option: "backend" });
    expect(refusal).toMatchObject({ message: expect.stringContaining("each closes its own") });
    expect(await (await first.enqueueDurable("add", payload)).result()).toBe(3);
  });

  test("is refused also after the first one has stopped, and closed it", async () => {
    const backend = memoryBackend();
    await new TaskManager({ handlers, backend }).stopNow();
    expect(thrownBy(() => new TaskManager({ handlers, backend }))).toMatchObject({ code: "MILLRACE_OPTION" });
    const another = new TaskManager({ handlers, backend: backend.connect() });
    expect(await another.stopNow()).toMatchObject({ alive: 0 });
  });

  test("is none where the first one was refused for another option", async () => {
    const backend = memoryBackend();
    const options: TaskManagerOptions = { backend, capacity: -1 };
    expect(thrownBy(() => new TaskManager(options))).toMatchObject({ option: "capacity" });
    const tasks = new TaskManager({ handlers, backend });
    onTestFinished(async () => void (await tasks.stopNow()));
    expect(await (await tasks.enqueueDurable("add", payload)).result()).toBe(3);
  });
});
