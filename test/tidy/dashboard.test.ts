import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { MetricDefinition } from "../../src/adapters/otel/metric.js";
import { METRICS } from "../../src/adapters/otel/metrics-reporter.js";
import { panelsOf, readAlerts, readDashboard } from "../support/dashboard.js";
import { readManifest } from "./entry-points.js";
import { projectPath, readProjectFile } from "./sources.js";

/** What Prometheus and the exporter add to what a metric says itself. */
const ADDED_LABELS = ["job", "instance", "manager", "otel_scope_name"];
/** Reported only where it is asked for; and sizes of what is bounded. */
const NOT_SHOWN = [
  "messaging.process.duration",
  "handler_closed_seconds",
  "idempotency_keys",
  "hook_calls_waiting",
];
const HISTOGRAM_PARTS = /_(bucket|count|sum)$/;

const metricsByName: ReadonlyMap<string, MetricDefinition> = new Map(
  METRICS.map((each) => [each.name, each]),
);
const dashboard = readDashboard();
const panels = panelsOf(dashboard);
const alerts = readAlerts();

/** What has been counted in a window: the whole of a series that is new in it, the increase of any other. */
const COUNTED_IN_WINDOW = /\((\w+\{[^}]*\})\s+unless \1 offset (\w+)\)\s+or increase\(\1\[\2\]\)/g;

/** One line for each metric or label of an expression that is not what the metrics define. */
function complaints(expr: string): readonly string[] {
  const plain = expr.replaceAll(COUNTED_IN_WINDOW, "increase($1[$2])");
  const selections = [...plain.matchAll(/(?:(\w+) ?\(\s*)?\b([a-z]\w+)\{([^}]*)\}/g)].map(
    ([, call = "", name = "", matchers = ""]) => ({ call, name, matchers }),
  );
  if (selections.length === 0) return [`nothing is selected by ${expr}`];
  const labels = new Set(selections.flatMap(({ name }) => labelsOf(name)));
  const grouping = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list = ""]) =>
    list.split(", "),
  );
  return [
    ...selections.flatMap(({ call, name, matchers }) => complaintsOf(call, name, matchers)),
    ...grouping.filter((label) => !labels.has(label)).map((label) => `no metric has the label ${label}`),
  ];
}

function complaintsOf(call: string, name: string, matchers: string): readonly string[] {
  const metric = metricOf(name);
  if (metric === undefined) return [`${name} is no metric`];
  const known = labelsOf(name);
  const used = [...matchers.matchAll(/(\w+)(?:=~|=|!~|!=)"/g)].map(([, label = ""]) => label);
  const unknown = used.filter((label) => !known.includes(label)).map((label) => `${name} has no ${label}`);
  const isRate = call === "rate" || call === "increase";
  return [
    ...unknown,
    ...(matchers.includes('otel_scope_name="millrace"') ? [] : [`${name} may be another library's`]),
    ...(isRate === (metric.kind === "gauge")
      ? [`${name} is a ${metric.kind}, and so no case for ${call}`]
      : []),
  ];
}

function metricOf(name: string): MetricDefinition | undefined {
  const histogram = metricsByName.get(name.replace(HISTOGRAM_PARTS, ""));
  if (histogram?.kind === "histogram") return HISTOGRAM_PARTS.test(name) ? histogram : undefined;
  return metricsByName.get(name);
}

function labelsOf(name: string): readonly string[] {
  const own: readonly string[] = metricOf(name)?.attributes ?? [];
  return [...ADDED_LABELS, ...own, ...(name.endsWith("_bucket") ? ["le"] : [])];
}

describe("the dashboard", () => {
  const queries = panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({ query: `${title}, ${refId}`, expr })),
  );

  test.each(queries)("asks only for what the metrics define: $query", ({ expr }) => {
    expect(complaints(expr)).toEqual([]);
  });

  test("shows every metric, but for those that answer other questions", () => {
    const text = queries.map(({ expr }) => expr).join("\n");
    const missing = METRICS.filter(({ name }) => !new RegExp(`\\b${name}(_bucket)?\\{`).test(text));
    expect(missing.map(({ name }) => name).filter((name) => !NOT_SHOWN.includes(name))).toEqual([]);
  });

  test("has a title, a description, a unit and legends in every panel", () => {
    for (const { title, description, fieldConfig, options, targets = [] } of panels) {
      expect(title).toMatch(/^[A-Z].{2,40}$/);
      expect(description, title).toMatch(/^[A-Z].{20,}\.$/);
      expect(fieldConfig?.defaults.unit, title).toMatch(/^(s|percentunit|suffix: [a-z/]+)$/);
      expect(options?.legend.showLegend, title).toBe(true);
      expect(targets.map(({ refId }) => refId)).toEqual(["A", "B", "C", "D", "E"].slice(0, targets.length));
      for (const { legendFormat } of targets) expect(legendFormat, title).not.toBe("");
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  test("lays its panels side by side, none upon another", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), title).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });

  test("uses the variables that it offers, and no others", () => {
    const offered = dashboard.templating.list.map(({ name }) => name);
    const text = JSON.stringify(dashboard);
    const used = [...text.matchAll(/\$\{?(\w+)/g)].map(([, name = ""]) => name);
    const builtIn = ["__rate_interval", "__all"];
    expect([...new Set(used)].filter((name) => !builtIn.includes(name)).sort()).toEqual(offered.sort());
  });
});

describe("the alert rules", () => {
  test.each(alerts)("ask only for what the metrics define: $alert", ({ expr }) => {
    expect(complaints(expr)).toEqual([]);
  });

  test.each(alerts)("$alert says how bad it is, what has happened, and where to read on", (rule) => {
    expect(rule.alert).toMatch(/^Millrace[A-Z]/);
    expect(["warning", "critical"]).toContain(rule.labels["severity"]);
    expect(Object.keys(rule.annotations)).toEqual(["summary", "description", "runbook"]);
    const [file = "", heading = ""] = (rule.annotations["runbook"] ?? "").split("#");
    expect(file).toBe("millrace/src/adapters/otel/README.md");
    const headings = readProjectFile(file.replace("millrace/", "")).match(/^### .+$/gm) ?? [];
    expect(headings.map((line) => line.slice(4).toLowerCase())).toContain(heading);
  });

  test("are the ones that have runbooks, in their order", () => {
    const readme = readProjectFile("src/adapters/otel/README.md");
    const headings = [...readme.matchAll(/^### (Millrace\w+)$/gm)].map(([, name]) => name);
    expect(headings).toEqual(alerts.map(({ alert }) => alert));
  });
});

test("the dashboard and the alert rules are where the package says", () => {
  const { exports } = readManifest();
  const paths = [exports["./otel/dashboard.json"], exports["./otel/alerts.yml"]];
  expect(paths).toEqual(
    ["millrace.json", "alerts.yml"].map((name) => `./src/adapters/otel/dashboard/${name}`),
  );
  for (const path of paths) expect(existsSync(projectPath(String(path)))).toBe(true);
});

describe("the check of queries", () => {
  const scope = 'otel_scope_name="millrace"';
  const counter = `tasks_started_total{${scope}}`;

  test("accepts what is right", () => {
    expect(
      complaints(`sum by (queue, manager) (rate(tasks_started_total{${scope}, queue=~"$queue"}[5m]))`),
    ).toEqual([]);
    expect(
      complaints(`histogram_quantile(0.5, sum by (le) (rate(task_wait_seconds_bucket{${scope}}[5m])))`),
    ).toEqual([]);
    expect(complaints(`max(slots{${scope}, lane="inline"}) > 0`)).toEqual([]);
    expect(complaints(`(${counter} unless ${counter} offset 5m) or increase(${counter}[5m])`)).toEqual([]);
  });

  test("refuses a counter that is new in another window than the one in which it is to rise", () => {
    const mixed = `(${counter} unless ${counter} offset 1m) or increase(${counter}[5m])`;
    expect(complaints(mixed)).not.toEqual([]);
  });

  test.each([
    [`slots_in_use{${scope}}`, "slots_in_use is no metric"],
    [`task_wait_seconds{${scope}}`, "task_wait_seconds is no metric"],
    [`slots_bucket{${scope}}`, "slots_bucket is no metric"],
    [`slots{${scope}, queue="a"}`, "slots has no queue"],
    [`sum by (queue) (slots{${scope}})`, "no metric has the label queue"],
    [`slots{lane="inline"}`, "slots may be another library's"],
    [`rate(slots{${scope}}[5m])`, "slots is a gauge, and so no case for rate"],
    [`sum(tasks_started_total{${scope}})`, "tasks_started_total is a counter, and so no case for sum"],
    ["vector(1)", "nothing is selected by vector(1)"],
  ])("refuses %s", (expr, complaint) => {
    expect(complaints(expr)).toEqual([complaint]);
  });
});
