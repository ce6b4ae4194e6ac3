// Each part of a service defines its own handlers; the service joins them, and keeps all their types.
import { combineHandlers, TaskManager } from "millrace";
import { emailHandlers } from "./email.ts";
import { imageHandlers } from "./images.ts";

const handlers = combineHandlers(emailHandlers, imageHandlers); // a name that is in both does not compile

const tasks = new TaskManager({ handlers, queues: { email: { share: 3 }, images: { share: 1 } } });
const results = tasks.subscribe();

const picture = tasks.enqueue(
  "resize",
  { path: "cat.png", width: 320, notify: "ada@example.org" },
  { id: "cat" },
);
const { path, width } = await picture.result();
console.log(`${path} is ${width} wide`);
await tasks.drain();
results.close();

// The name of the handler tells the type of the value.
for await (const done of results) {
  if (done.state !== "completed") continue;
  if (done.handler === "sendEmail")
    console.log(`${done.id} in queue ${done.queue}: ${done.value.toUpperCase()}`);
  if (done.handler === "resize") console.log(`${done.id} enqueued ${done.value.id}`);
}
for (const [name, { completed }] of Object.entries(tasks.stats().handlers)) console.log(name, completed);
await tasks.stopGraceful();

// Prints:
// cat.png is 320 wide
// mail in queue email: "CAT.PNG IS READY" TO ADA@EXAMPLE.ORG
// cat enqueued mail
// sendEmail 1
// resize 1
