// A first durable task: a backend has it before the call resolves; any process with its handler may run it.
import { defineHandlers, fixed, json, memoryBackend, TaskManager } from "millrace";

const handlers = defineHandlers({
  sendEmail: {
    payload: json<{ to: string }>(),
    run: async ({ to }, { attempt }) => {
      if (attempt === 1) throw new Error("the connection was lost");
      return `sent to ${to} at attempt ${attempt}`;
    },
    backoff: fixed({ delayMs: 20 }), // maxAttempts of durable tasks is 3
  },
});

// A backend in this process, to begin with and for tests. That of Redis is redisBackend of millrace/redis.
const tasks = new TaskManager({ handlers, backend: memoryBackend() });

const mail = await tasks.enqueueDurable("sendEmail", { to: "ada@example.org" }, { id: "welcome-42" });
console.log(mail.id, "is kept"); // the queue is a part of the id
console.log(await mail.result());
console.log(await tasks.handle("sendEmail", mail.id).result()); // from any process, for ten minutes
await tasks.stopGraceful();

// Prints:
// default:welcome-42 is kept
// sent to ada@example.org at attempt 2
// sent to ada@example.org at attempt 2
