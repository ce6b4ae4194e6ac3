// Work with a name, a checked payload, and its own defaults. Here the payloads are checked by zod.
import { defineHandlers, json, PayloadError, TaskManager } from "millrace";
import { z } from "zod";

const handlers = defineHandlers({
  sendEmail: {
    payload: z.object({
      to: z.email(),
      subject: z.string().trim().min(1),
      copies: z.number().int().default(1),
    }),
    queue: "email",
    maxAttempts: 5,
    maxConcurrency: 2,
    run: async ({ to, subject, copies }, { id, attempt }) => {
      return `${id}: "${subject}" to ${to}, copies: ${copies}, attempt ${attempt}`;
    },
  },
  // Without a library: for payloads of your own code, whose types the compiler has checked.
  resize: {
    payload: json<{ path: string; width: number }>(),
    result: z.object({ width: z.number().max(1_000) }), // what comes back can be checked too
    run: ({ width }) => ({ width }),
  },
});

const tasks = new TaskManager({ handlers });

// The compiler knows the names, what each takes, and what each gives.
const email = tasks.enqueue("sendEmail", { to: "ada@example.org", subject: "  Hello " }, { id: "email:1" });
console.log(await email.result());
const { width } = await tasks.execute("resize", { path: "a.png", width: 320 });
console.log(width + 1);

// A payload that is wrong is refused at the door, where the caller can see it, and not hours later.
try {
  tasks.enqueue("sendEmail", { to: "nobody", subject: " " });
} catch (error) {
  if (!(error instanceof PayloadError)) throw error;
  for (const { path, message } of error.issues) console.log(`${path}: ${message}`);
}
await tasks.execute("resize", { path: "a.png", width: 2_000 }).catch((error) => console.log(error.message));

// So is a name that does not exist, when it comes from outside and no compiler has seen it.
try {
  tasks.enqueue("sendEmial" as "sendEmail", { to: "ada@example.org", subject: "Hello" });
} catch (error) {
  console.log(String(error));
}
await tasks.stopGraceful();

// Prints:
// email:1: "Hello" to ada@example.org, copies: 1, attempt 1
// 321
// payload.to: Invalid email address
// payload.subject: Too small: expected string to have >=1 characters
// What handler "resize" returned was refused: result.width: Too big: expected number to be <=1000
// UnknownHandlerError: Unknown handler "sendEmial"; did you mean "sendEmail"?
