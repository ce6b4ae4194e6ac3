// Run as many of these as you like, and kill any of them: what it had begun is begun again by another.
import { defineHandlers, stopOnSignals, TaskManager } from "millrace";
import { redisBackend } from "millrace/redis";
import { sendEmail } from "./contract.ts";

const handlers = defineHandlers({
  sendEmail: {
    ...sendEmail,
    run: async ({ to, locale }, { id, signal }) => {
      signal.throwIfAborted(); // aborts when it is cancelled, or its lease is lost
      console.log(`${locale} mail to ${to}`);
      return { messageId: `<${id}@example.org>` }; // one that is sent twice has the same id
    },
  },
});

const tasks = new TaskManager({
  handlers,
  backend: redisBackend({ url: process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379" }),
});
// Finishes what has begun, gives back what has not, and leaves the rest to others.
stopOnSignals(tasks, { deadlineMs: 10_000, onStopped: ({ alive }) => console.log(alive, "were alive") });
console.log("consuming");

// Prints:
// consuming
// en mail to ada@example.org
// fr mail to bo@example.org
// 0 were alive
