import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { readProjectFile } from "../tidy/sources.js";
import { promised } from "./promised.js";

const root = fileURLToPath(new URL("../../", import.meta.url));
const EXAMPLE = "examples/otlp-metrics-and-traces.ts";

type Attribute = { key: string; value: { stringValue?: string } };
type Point = { attributes: Attribute[]; asDouble?: number; count?: number };
type Metric = { name: string; unit: string } & Record<"sum" | "gauge" | "histogram", { dataPoints: Point[] }>;
interface Received {
  readonly resourceMetrics?: { scopeMetrics: { scope: { name: string }; metrics: Metric[] }[] }[];
  readonly resourceSpans?: { scopeSpans: { spans: { name: string }[] }[] }[];
}

/** A collector that keeps what it is sent, by path. */
async function startReceiver() {
  const received = new Map<string, Received[]>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const path = request.url ?? "";
    received.set(path, [...(received.get(path) ?? []), JSON.parse(body)]);
    response.setHeader("content-type", "application/json").end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function runExample(endpoint: string) {
  const child = spawn(process.execPath, ["--import", "tsx", EXAMPLE], {
    cwd: root,
    env: { ...process.env, NODE_NO_WARNINGS: "1", OTEL_EXPORTER_OTLP_ENDPOINT: endpoint },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code]: unknown[] = await once(child, "close");
  return { code, stdout, stderr };
}

test(`${EXAMPLE} prints what it says, and a collector is sent its metrics and spans`, async () => {
  const { received, url } = await startReceiver();
  const ran = await runExample(url);
  expect(ran).toEqual({ code: 0, stdout: promised(readProjectFile(EXAMPLE)), stderr: "" });

  const scopes = (received.get("/v1/metrics") ?? []).flatMap(({ resourceMetrics = [] }) =>
    resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics),
  );
  const metrics = scopes.filter(({ scope }) => scope.name === "millrace").flatMap((one) => one.metrics);
  const pointsOf = (name: string) => {
    const { sum, gauge, histogram } = metrics.findLast((metric) => metric.name === name) ?? {};
    return (sum ?? gauge ?? histogram)?.dataPoints.map(({ attributes, asDouble, count }) => [
      asDouble ?? count,
      ...attributes.map(({ value }) => value.stringValue),
    ]);
  };
  expect(pointsOf("tasks_completed_total")).toContainEqual([2, "pages", "(function)"]);
  expect(pointsOf("tasks_failed_total")).toContainEqual([1, "pages", "(function)", "error"]);
  expect(pointsOf("task_latency_seconds")).toContainEqual([2, "pages", "(function)", "inline", "completed"]);
  expect(pointsOf("messaging.process.duration")).toContainEqual([
    ...[1, "millrace", "process", "pages", "RangeError"],
  ]);
  expect(pointsOf("queue_depth")).toContainEqual([0, "pages", "(function)", "inline"]);

  const spans = (received.get("/v1/traces") ?? []).flatMap(({ resourceSpans = [] }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );
  expect(spans.filter(({ name }) => name === "render")).toHaveLength(3);
});
