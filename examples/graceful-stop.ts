// An HTTP server that answers at once, works in the background, and loses nothing when it is told to stop.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { NotAcceptingError, QueueFullError, TaskManager } from "millrace";

const tasks = new TaskManager({ concurrency: 2, capacity: 100 });
const shipped: string[] = [];

const server = createServer((request, response) => {
  const order = request.url?.slice(1) ?? "";
  try {
    tasks.enqueue(
      async ({ stopping }) => {
        if (!stopping.aborted) await sleep(50); // a long task may hurry up when a stop has begun
        shipped.push(order);
      },
      { id: order },
    );
    response.writeHead(202).end("accepted");
  } catch (error) {
    const isBusy = error instanceof QueueFullError || error instanceof NotAcceptingError;
    response.writeHead(isBusy ? 503 : 500).end(isBusy ? "try again later" : "error");
  }
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const { port } = server.address() as AddressInfo;
const order = async (id: string) => {
  const response = await fetch(`http://127.0.0.1:${port}/${id}`, { method: "POST" });
  console.log(id, response.status, await response.text());
};
for (const id of ["order-1", "order-2", "order-3", "order-4"]) await order(id);

// What a service does when it is told to stop; `stopOnSignals(tasks)` does the middle one at SIGTERM.
const stopped = tasks.stopGraceful({ deadlineMs: 10_000 }); // 1. accept no tasks, finish those there are
await order("order-5"); // the load balancer does not know yet
const { failed, cancelled } = await stopped; // 2. wait for the rest, at most until the deadline
server.close(); // 3. take no more connections
server.closeAllConnections();
await once(server, "close");

console.log(shipped.sort().join(", "), "were shipped");
console.log(`${failed} failed, ${cancelled} cancelled, ${tasks.stats().phase}`);

// Prints:
// order-1 202 accepted
// order-2 202 accepted
// order-3 202 accepted
// order-4 202 accepted
// order-5 503 try again later
// order-1, order-2, order-3, order-4 were shipped
// 0 failed, 0 cancelled, stopped
