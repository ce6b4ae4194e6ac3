// Testing code that enqueues: nothing is mocked, nothing sleeps, and the order of things is always the same.
import assert from "node:assert/strict";
import { defineHandlers, fixed, json, type TaskManager } from "millrace";
import { createTestManager } from "millrace/testing";

// The code under test: handlers, and a service that is given the manager that it shall use.
const DAY_MS = 86_400_000;
const mailbox: string[] = [];
const handlers = defineHandlers({
  sendEmail: {
    payload: json<{ to: string; template: string }>(),
    maxAttempts: 3,
    backoff: fixed({ delayMs: 60_000 }),
    run: async ({ to, template }, { attempt }) => {
      if (to === "flaky@example.org" && attempt < 3) throw new Error("the mail server is busy");
      mailbox.push(`${template} to ${to}`);
      return attempt;
    },
  },
  closeAccount: {
    payload: json<{ email: string }>(),
    run: async ({ email }, { enqueue }) => {
      await enqueue("sendEmail", { to: email, template: "goodbye" });
    },
  },
});
function signUp(tasks: TaskManager<typeof handlers>, email: string): void {
  tasks.enqueue("sendEmail", { to: email, template: "welcome" });
  tasks.enqueue("sendEmail", { to: email, template: "tips" }, { delayMs: 7 * DAY_MS });
}

// 1. Was it enqueued? The tasks stay where they are, and can be looked at.
await using kit = createTestManager({ handlers });
signUp(kit.tasks, "ada@example.org");
kit.requireEnqueued("sendEmail", { to: "ada@example.org", template: "welcome" }, { delayMs: 0, times: 1 });
kit.requireEnqueued("sendEmail", ({ template }) => template === "tips", { delayMs: 7 * DAY_MS });
kit.requireNotEnqueued("closeAccount");
assert.throws(() => kit.requireEnqueued("sendEmail", { to: "bob@example.org", template: "tips" }));

// 2. Does a handler do what it should? It runs by itself; what it enqueues can be looked at too.
await kit.runHandler("closeAccount", { email: "bob@example.org" });
kit.requireEnqueued("sendEmail", { to: "bob@example.org", template: "goodbye" });
await assert.rejects(kit.runHandler("sendEmail", { to: "flaky@example.org", template: "welcome" }), /busy/);

// 3. Does it all work together? A week passes in no time, with every delay and every retry.
signUp(kit.tasks, "flaky@example.org");
const results = await kit.runAll();
console.log(mailbox.join("\n"));
console.log("attempts:", ...results.map(({ attempt }) => attempt));
console.log(`${Math.floor(kit.clock.now() / DAY_MS)} days later`);

// Prints:
// welcome to ada@example.org
// goodbye to bob@example.org
// welcome to flaky@example.org
// tips to ada@example.org
// tips to flaky@example.org
// attempts: 1 1 3 1 3
// 7 days later
