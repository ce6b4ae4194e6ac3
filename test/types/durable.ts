import {
  type AnyHandlers,
  type Backend,
  type DurableHandle,
  defineHandlers,
  json,
  memoryBackend,
  type ReplayReport,
  TaskManager,
  type TaskManagerOptions,
} from "millrace";
import { createTestManager } from "millrace/testing";
import { same } from "./same.js";

const handlers = defineHandlers({
  send: { payload: json<{ to: string }>(), run: async ({ to }) => to.length },
  contract: { payload: json<string>() },
});
type Mails = typeof handlers;

const some = new TaskManager({ handlers, backend: memoryBackend() });
const none = new TaskManager({ handlers, concurrency: 2 });

// With a backend, every call knows the payload and the result of each name.
const sent = some.enqueueDurable("send", { to: "a" }, { delayMs: 5 });
same<typeof sent, Promise<DurableHandle<number>>>();
const many = some.enqueueDurableMany([
  ["send", { to: "a" }],
  ["contract", "a", { priority: 1 }],
]);
same<typeof many, Promise<[DurableHandle<number>, DurableHandle<unknown>]>>();
const found = some.handle("send", "default:1");
same<typeof found, DurableHandle<number>>();
const replayed = some.replayDeadLetters({ filter: { queue: "default" } });
same<typeof replayed, Promise<ReplayReport>>();
// @ts-expect-error: no such handler
some.enqueueDurable("sned", { to: "a" });
// @ts-expect-error: the payload lacks a member
some.enqueueDurable("send", {});
// @ts-expect-error: the payload of another handler
some.enqueueDurableMany([["send", "a"]]);
// @ts-expect-error: no such handler
some.handle("sned", "default:1");

// Without one, none of them compiles, and everything else does.
none.enqueue("send", { to: "a" });
none.cancel("default:1");
// @ts-expect-error: this manager has no backend
none.enqueueDurable("send", { to: "a" });
// @ts-expect-error: this manager has no backend
none.enqueueDurableMany([["send", { to: "a" }]]);
// @ts-expect-error: this manager has no backend
none.handle("send", "default:1");
// @ts-expect-error: this manager has no backend
none.replayDeadLetters({ ids: ["default:1"] });

// One that comes from a configuration may be there, whichever way it is given.
declare const configured: Backend | undefined;
const perhaps = new TaskManager({ handlers, backend: configured });
const spread = new TaskManager({ handlers, ...(configured && { backend: configured }) });
for (const tasks of [perhaps, spread]) void tasks.enqueueDurable("send", { to: "a" });
declare const options: TaskManagerOptions<Mails>;
const read = new TaskManager(options);
same<typeof read, TaskManager<Mails>>();
const completed = new TaskManager({ ...options, handlers });
void completed.enqueueDurable("send", { to: "a" });
// So it is where only the handlers are written.
const written = new TaskManager<Mails>({ handlers });
same<typeof written, TaskManager<Mails>>();

// What the other options hold changes nothing of that, the manager itself among it.
const watched = new TaskManager({
  handlers,
  hooks: { onQueued: (task) => watched.get(task.id), onProgress: (_, value) => value },
  onObserverError: () => void watched.stats(),
  middleware: [(_context, next) => next()],
  backend: memoryBackend({ capacity: 10 }),
});
void watched.replayDeadLetters({ ids: [] });
// @ts-expect-error: an unknown option
new TaskManager({ handlers, backend: memoryBackend(), concurency: 5 });
// @ts-expect-error: no backend
new TaskManager({ handlers, backend: { enqueue: () => [] } });

// A function that names the handlers takes any manager of them, and may try.
const give = (tasks: TaskManager<Mails>) => tasks.enqueueDurable("send", { to: "a" });
void give(some);
void give(none);
void give(perhaps);
void give(read);
void give(createTestManager({ handlers }).tasks);

// One that asks for a backend takes no manager that has none, nor one that has none perhaps.
const demand = (tasks: TaskManager<Mails, { backend: Backend }>) => tasks.enqueueDurable("send", { to: "a" });
void demand(some);
// @ts-expect-error: this manager has no backend
void demand(none);
// @ts-expect-error: perhaps this manager has no backend
void demand(perhaps);
// @ts-expect-error: perhaps this manager has no backend
void demand(spread);
// @ts-expect-error: perhaps this manager has no backend
void demand(read);

// One that needs none takes all.
const enqueue = (tasks: TaskManager<Mails, Record<never, never>>) => tasks.enqueue("send", { to: "a" });
enqueue(some);
enqueue(none);
enqueue(read);
const stop = (tasks: TaskManager) => tasks.stopNow();
for (const tasks of [some, none, perhaps]) void stop(tasks);

// A function or a class of one's own around it says what it is given.
const createAny = <H extends AnyHandlers>(given: TaskManagerOptions<H>) =>
  new TaskManager({ concurrency: 1, ...given });
void createAny({ handlers }).enqueueDurable("send", { to: "a" });
class Post extends TaskManager<Mails> {
  post(to: string) {
    return this.enqueueDurable("send", { to });
  }
}
same<ReturnType<Post["post"]>, Promise<DurableHandle<number>>>();
void give(new Post({ handlers, backend: memoryBackend() }));

// The manager of a test goes by its options too.
const kit = createTestManager({ handlers, backend: memoryBackend() });
void kit.tasks.enqueueDurable("send", { to: "a" });
void demand(kit.tasks);
// @ts-expect-error: this manager has no backend
void createTestManager({ handlers, run: true }).tasks.enqueueDurable("send", { to: "a" });
void createTestManager<Mails>({ handlers }).tasks.enqueueDurable("send", { to: "a" });
