// Enqueues what other processes do. It needs the contract alone, and may end before the work is begun.
import { TaskManager } from "millrace";
import { redisBackend } from "millrace/redis";
import { contract } from "./contract.ts";

const tasks = new TaskManager({
  handlers: contract,
  backend: redisBackend({ url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" }),
  consume: false, // a producer only
});

// The key makes the call safe to be made again, by this process or another: it is one task.
const welcome = (id: string) =>
  tasks.enqueueDurable("sendEmail", { to: "ada@example.org" }, { id, idempotencyKey: "welcome:42" });
const [first, again] = [await welcome("42"), await welcome("42-again")];
console.log(again.id, "is a duplicate:", again.duplicate);

// Where it has ended, and with what: asked for by the id, from anywhere.
console.log((await first.result()).messageId);
const other = await tasks.enqueueDurable("sendEmail", { to: "bo@example.org", locale: "fr" }, { id: "43" });
console.log((await tasks.handle("sendEmail", other.id).result()).messageId);

const later = await tasks.enqueueDurable("sendEmail", { to: "cy@example.org" }, { delayMs: 60_000 });
console.log(await later.cancel("the address was wrong"));
await later.result().catch((error) => console.log(error.code, error.cause));
await tasks.stopGraceful();

// Prints:
// mail:42 is a duplicate: true
// <mail:42@example.org>
// <mail:43@example.org>
// true
// MILLRACE_TASK_CANCELLED the address was wrong
