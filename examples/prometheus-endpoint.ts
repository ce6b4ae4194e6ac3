// Metrics for Prometheus, on the http server that a service has anyway.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { defineHandlers, fixed, json, TaskManager } from "millrace";
import { instrument } from "millrace/otel";

const handlers = defineHandlers({
  sendMail: {
    payload: json<{ to: string }>(),
    queue: "mail",
    maxAttempts: 2,
    backoff: fixed({ delayMs: 1 }),
    run: async ({ to }, { attempt }) => {
      if (to.endsWith("@example.org") && attempt === 1) throw new Error("the server is busy");
      return `sent to ${to}`;
    },
  },
});
const tasks = new TaskManager({ handlers });

const exporter = new PrometheusExporter({ preventServerStart: true });
const watching = instrument(tasks, { meterProvider: new MeterProvider({ readers: [exporter] }) });

const server = createServer((request, response) => {
  if (request.url === "/metrics") exporter.getMetricsRequestHandler(request, response);
  else response.writeHead(404).end();
});
await new Promise<void>((resolve) => server.listen(0, resolve));

await tasks.execute("sendMail", { to: "ada@example.com" });
await tasks.execute("sendMail", { to: "bob@example.org" });
await tasks.execute(() => "a plain function");

// What Prometheus does every fifteen seconds:
const { port } = server.address() as AddressInfo;
const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
const shown = /^(tasks_(scheduled|started|completed|retried)_total|queue_depth|task_latency_seconds_count)\{/;
for (const line of scraped.split("\n"))
  if (shown.test(line)) console.log(line.replace(/,otel_scope_.*\}/, "}"));

server.closeAllConnections();
server.close();
await tasks.stopGraceful();
watching[Symbol.dispose]();

// Prints:
// task_latency_seconds_count{queue="mail",handler="sendMail",lane="inline",outcome="completed"} 2
// task_latency_seconds_count{queue="default",handler="(function)",lane="inline",outcome="completed"} 1
// tasks_scheduled_total{queue="default",handler="(function)"} 1
// tasks_scheduled_total{queue="mail",handler="sendMail"} 2
// tasks_started_total{queue="default",handler="(function)"} 1
// tasks_started_total{queue="mail",handler="sendMail"} 3
// tasks_completed_total{queue="default",handler="(function)"} 1
// tasks_completed_total{queue="mail",handler="sendMail"} 2
// tasks_retried_total{queue="default",handler="(function)"} 0
// tasks_retried_total{queue="mail",handler="sendMail"} 1
// queue_depth{queue="default",handler="(function)",lane="inline"} 0
// queue_depth{queue="mail",handler="sendMail",lane="inline"} 0
