import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crowding } from "../../support/crowding.js";
import { ALERTS_FILE, fillIn, panelsOf, readAlerts, readDashboard } from "../../support/dashboard.js";
import { BOUNCED, HELD, LEFT_READY } from "../../support/faulty-durables.js";
import { BLOCKED_MS, blockEventLoop, FaultyWorkload, NIGHT_MS } from "../../support/faulty-workload.js";
import { differences, type Expected, type ExpectedSample, type Labels } from "../../support/ledger.js";
import { Prometheus, type Sample } from "../../support/prometheus.js";

const SERVICE = "shops";
/** Longer than the whole test: so that nothing of it is left out. */
const ALL_OF_IT = "5m";

const dashboard = readDashboard();
const panels = panelsOf(dashboard);
const alerts = readAlerts();

let workload: FaultyWorkload;
let prometheus: Prometheus;
let startedAt: number;

beforeAll(async () => {
  workload = await FaultyWorkload.create();
  prometheus = await Prometheus.start({
    ...{ service: SERVICE, target: workload.target, scrapeIntervalMs: 200 },
    rules: [ALERTS_FILE],
  });
  startedAt = Date.now() / 1_000;
  await workload.run(() => prometheus.nextScrape());
  await blockUntilSeen();
}, 240_000);

afterAll(async () => {
  await prometheus?.[Symbol.asyncDispose]();
  await workload?.[Symbol.asyncDispose]();
});

/** More than once where it has to: a delay that a scrape falls upon may be counted to none of its two sides. */
async function blockUntilSeen(): Promise<void> {
  for (let blocks = 0; blocks < 10; blocks++) {
    await prometheus.nextScrape();
    await blockEventLoop();
    await prometheus.nextScrape();
    if ((await longestDelay()) > 0.5) return;
  }
}

/** Of all scrapes, in seconds. */
async function longestDelay(): Promise<number> {
  const [target] = panels.find(({ title }) => title === "Event loop delay")?.targets ?? [];
  const query = fillIn(target?.expr ?? "", { rateInterval: ALL_OF_IT });
  const series = await prometheus.queryRange(query, startedAt, Date.now() / 1_000, 0.1);
  const longest = series.find(({ labels }) => labels["quantile"] === "1");
  return Math.max(...(longest?.points ?? []).map(([, value]) => value));
}

/** Once more where nothing is found: after a scrape that took too long there is nothing to see until the next. */
async function ask(expression: string): Promise<readonly Sample[]> {
  const found = await prometheus.query(expression);
  if (found.length > 0) return found;
  await prometheus.nextScrape();
  return await prometheus.query(expression);
}

const by = (...labels: string[]) => ({ of: (name: string) => workload.ledger.sumBy(name, labels) });
const one = (value: Expected, labels: Labels = {}): ExpectedSample => ({ labels, value });
const total = (name: string) => one(workload.ledger.total(name));
const each = (label: string, values: Readonly<Record<string, Expected>>) =>
  Object.entries(values).map(([is, value]) => one(value, { [label]: is }));
const ofManagers = (values: Readonly<Record<string, Expected>>) =>
  each("manager", values).map(({ labels, value }) => one(value, { job: SERVICE, ...labels }));
const inLane = (lane: string, values: Readonly<Record<string, Expected>>) =>
  ofManagers(values).map(({ labels, value }) => one(value, { ...labels, lane }));
const anyTime: Expected = [0, 60];
/** Seconds, of what takes a part of one; on a crowded machine, more than that. */
const soon = () => crowding();
/** Managers of the workload, and handlers, with nothing but threads, or a store. */
const THREADED = { crunch: 0, broken: 0, post: 0 };
const DURABLE = { letter: 0, bounce: 0, parcel: 0 };
const often: Expected = [1, 1e6];
const ever: Expected = [0, 1e6];
const NONE_IN_THREADS = { add: 0, exit: 0, late: 0, hang: 0, lost: 0, hold: 0, never: 0 };

/** What the workload leaves behind: for each panel, what each of its queries has to say of it. */
const EXPECTED: Readonly<Record<string, () => readonly (readonly ExpectedSample[])[]>> = {
  "Tasks a second": () =>
    ["scheduled", "started", "completed", "failed", "cancelled"].map((what) => [
      total(`tasks_${what}_total`),
    ]),
  "Started by queue": () => [by("queue").of("tasks_started_total")],
  "Completed by handler": () => [by("handler").of("tasks_completed_total")],
  "Running by handler": () => [
    each("handler", {
      ...{ "(function)": 3, charge: 0, index: 0, ship: 0, slow: 0, stubborn: 0 },
      ...{ ...NONE_IN_THREADS, ...DURABLE, hold: 1 },
    }),
  ],
  "Waiting by queue": () => [each("queue", { critical: 0, bulk: 3, default: 3 + 2 + 1 })],
  Delayed: () => [each("state", { scheduled: 2, backoff: 1 }), [one(3)]],
  "Capacity used": () => [
    ofManagers({ ...THREADED, shop: 6 / 100, mail: 3 / 3, batch: 2 / 2, old: 0, night: 1 / 10_000 }),
  ],
  "Calls that wait": () => [each("awaited", { room: 2, schema: 0 })],
  "Run time": () => [[one([0, soon()])], [one([0.01, soon()])], [one([0.01, soon()])]],
  "Run time p95 by handler": () => [
    each("handler", {
      ...{ "(function)": [0, soon()], charge: [0, soon()], index: [0, soon()], ship: [0, soon()] },
      ...{ slow: [0.01, soon()], stubborn: [0.01, soon()] },
      ...{ add: anyTime, exit: anyTime, late: anyTime, hang: [0.01, 60], lost: anyTime, never: anyTime },
      ...{ letter: anyTime, bounce: anyTime },
    }),
  ],
  Wait: () => [[one([0, soon()])], [one(anyTime)], [one(anyTime)]],
  "Oldest wait": () => [
    ofManagers({
      ...{ ...THREADED, shop: anyTime, mail: anyTime, batch: anyTime, old: 0, night: NIGHT_MS / 1_000 },
    }),
  ],
  Slots: () => [
    each("lane", { inline: 6 + 16 + 16 + 16 + 2 + 16 + 16 + 8, threads: 3 + 1 }),
    each("lane", { inline: 3, threads: 1 }),
    each("lane", { inline: 1, threads: 0 }),
  ],
  "Slots taken": () => [
    [
      ...inLane("inline", { ...THREADED, shop: 3 / 6, mail: 0, batch: 0, old: 0, night: 1 / 2 }),
      ...inLane("threads", { crunch: 1 / 3, broken: 0 }),
    ],
  ],
  "Abandoned attempts that go on": () => [each("lane", { inline: 2, threads: 0 })],
  "Starts and their limit": () => [
    ofManagers({ mail: workload.ledger.total("tasks_started_total", { manager: "mail" }), night: 1 }),
    ofManagers({ mail: 20, night: 0.0001 }),
  ],
  Permits: () => [ofManagers({ mail: 1, night: 0.06 })],
  "Time lost to the limit": () => [
    ofManagers({ ...THREADED, shop: 0, mail: [0.1, 5], batch: 0, old: 0, night: NIGHT_MS / 1_000 }),
  ],
  Phase: () => [each("phase", { running: 2 + 2 + 1, paused: 1, ready: 1, stopped: 1 })],
  "Paused queues": () => [each("queue", { critical: 0, bulk: 1, default: 0 })],
  "Threads by state": () => [each("state", { starting: 0, idle: 2, busy: 1 }), [one(3)], [one(3 + 1)]],
  "Thread utilisation": () => [ofManagers({ crunch: [0.01, 1], broken: 0 })],
  "Wait for a thread": () => [[one(anyTime)], [one(anyTime)], [one(anyTime)]],
  "Thread starts and exits": () => [
    [total("worker_threads_started_total")],
    by("reason").of("worker_threads_exited_total"),
  ],
  "Late faults and tasks handed back": () => [
    [total("worker_late_faults_total")],
    [total("tasks_handed_back_total")],
  ],
  "Threads and handlers that fail": () => [
    ofManagers({ crunch: 0, broken: 1 }),
    each("handler", { ...NONE_IN_THREADS, lost: 1 }),
  ],
  "In the store by state": () => [
    each("state", { ready: LEFT_READY, delayed: 0, leased: HELD, dead: BOUNCED }),
  ],
  "Ready in the store by queue": () => [each("queue", { default: LEFT_READY })],
  "Dead letters": () => [
    each("reason", { error: BOUNCED, timeout: 0, deadline: 0, "crash-loop": 0 }),
    [one(0)],
  ],
  "Held by processes": () => [[one(0)], [one(0)], [one(0)]],
  Renewals: () => [[one(HELD)], [one(often)], [one(0)]],
  "Lost, redelivered, handed on": () => [[one(HELD)], [one(0)], [one(0)], [one(0)], [one(0)]],
  "Store reachable": () => [ofManagers({ post: 0 })],
  "Last answer to a claim": () => [ofManagers({ post: [12, 20] })],
  "Calls to the store": () => [
    each("call", {
      ...{ enqueue: often, claim: often, extend: often, ack: often, deadLetter: often, read: often },
      ...{ counts: often, nack: 0, cancel: 0, replay: 0 },
    }),
    each("call", {
      ...{ claim: often, extend: often, enqueue: 0, ack: 0, nack: 0, deadLetter: 0 },
      ...{ cancel: 0, read: 0, counts: 0, replay: 0 },
    }),
  ],
  "Call time p99": () => [
    each("call", {
      ...{ enqueue: ever, claim: ever, extend: ever, ack: ever, deadLetter: ever, read: ever, counts: ever },
    }),
  ],
  "Failure ratio": () => [
    each("handler", {
      ...{ charge: 0, index: 0, ship: 16 / 40, slow: 1, stubborn: 1, "(function)": 1 / 7 },
      ...{ letter: 0, bounce: 1, parcel: Number.NaN },
      ...{ add: 0, exit: [0.01, 0.1], late: 0, hang: 1, lost: 1, never: 1, hold: Number.NaN },
    }),
  ],
  "Failed by reason": () => [by("reason").of("tasks_failed_total")],
  "Cancelled by reason": () => [by("reason").of("tasks_cancelled_total")],
  "Retried and rescheduled": () => [[total("tasks_retried_total")], [total("tasks_rescheduled_total")]],
  "Timed out by handler": () => [by("handler").of("tasks_timed_out_total")],
  "Dropped and refused": () => [[total("tasks_dropped_total")], [total("tasks_refused_total")]],
  "Abandoned by handler": () => [by("handler").of("tasks_abandoned_total")],
  "Interrupted by queue": () => [by("queue").of("tasks_interrupted_total")],
  "Results a second": () => [[total("results_published_total")], [total("results_delivered_total")]],
  "Results dropped by subscription": () => [by("subscription").of("results_dropped_total")],
  "Results buffered": () => [ofManagers({ ...THREADED, shop: 5, mail: 0, batch: 0, old: 0, night: 0 })],
  "Open subscriptions": () => [ofManagers({ ...THREADED, shop: 2, mail: 0, batch: 0, old: 0, night: 0 })],
  "Observer errors and dropped hook calls": () => [[total("observer_errors_total")], [one(0)]],
  "Event loop delay": () => [each("quantile", { "0.5": [0, soon()], "0.99": [0, soon()], "1": [0, soon()] })],
};

/** What each alert's expression has to name after the workload. */
const ALERTING: Readonly<Record<string, readonly Labels[]>> = {
  MillraceNoProgress: [{ manager: "night" }],
  MillraceOldestWait: [{ manager: "night" }],
  MillraceLimiterSaturated: [{ manager: "night" }],
  MillraceResultsDropped: [{ manager: "shop", subscription: "audit" }],
  MillraceNoRoom: [{ manager: "batch" }],
  MillraceFailureRatio: [{ manager: "shop", queue: "critical", handler: "ship" }],
  MillraceTasksAbandoned: [{ manager: "shop", queue: "critical", handler: "stubborn" }],
  MillraceThreadsFailing: [{ manager: "broken" }],
  MillraceHandlerFailing: [{ manager: "crunch", handler: "lost" }],
  MillraceThreadsDying: [{ manager: "broken" }, { manager: "crunch" }],
  MillraceStoreUnreachable: [{ manager: "post" }],
  MillraceDeadLetters: [{ manager: "post", queue: "default", handler: "bounce" }],
  MillraceLeasesLost: [{ manager: "post" }],
  MillraceStoreBacklog: [{ manager: "post", queue: "default" }],
};

/** Its moment may have passed when the workload is over. */
const PASSING = "MillraceEventLoopBlocked";

/** Counts in the place of rates: the same selection and the same sums, but numbers that can be told exactly. */
const withCounts = (expr: string) => expr.replaceAll(/\brate\(/g, "last_over_time(");

describe("the dashboard, in a Prometheus that has scraped a workload with faults", () => {
  it("has a panel for each expectation", () => {
    expect(Object.keys(EXPECTED).sort()).toEqual(panels.map(({ title }) => title).sort());
  });

  it.each(panels)("shows under $title what has happened, to the unit", async ({ title, targets = [] }) => {
    const expected = EXPECTED[title]?.() ?? [];
    expect(targets).toHaveLength(expected.length);
    for (const [index, { expr }] of targets.entries()) {
      const found = await ask(withCounts(fillIn(expr, { rateInterval: ALL_OF_IT })));
      expect(differences(found, expected[index] ?? []), expr).toEqual([]);
    }
  });

  it.each(panels)("draws lines of $title with legends that say which they are", async ({ targets = [] }) => {
    const legends: string[] = [];
    for (const { expr, legendFormat } of targets) {
      const found = await ask(fillIn(expr, { rateInterval: ALL_OF_IT }));
      expect(found, expr).not.toEqual([]);
      for (const { labels, value } of found) {
        expect(value >= 0 || Number.isNaN(value), `${expr} is ${value}`).toBe(true);
        const inLegend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        expect(Object.keys(labels).sort()).toEqual(inLegend.sort());
        legends.push(legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? ""));
      }
    }
    expect(new Set(legends).size).toBe(legends.length);
  });

  it("shows rates above 0 where a counter has risen, and 0 where none has", async () => {
    const sums = /^(sum|max)( by \([\w, ]+\))? ?\(rate\([^/]*$/;
    const rates = panels.flatMap(({ targets = [] }) => targets).filter(({ expr }) => sums.test(expr));
    expect(rates.length).toBeGreaterThan(15);
    for (const { expr } of rates) {
      const query = fillIn(expr, { rateInterval: ALL_OF_IT });
      const before = query.replaceAll(/\brate\(/g, "min_over_time(");
      const risen = await ask(`(${withCounts(query)}) - (${before})`);
      const expected = risen.map(({ labels, value }) => one(value > 0 ? [1e-9, 1e9] : 0, labels));
      expect(differences(await ask(query), expected), expr).toEqual([]);
      expect(expected, expr).not.toEqual([]);
    }
  });

  it("shows less when a service, manager, queue or handler is chosen", async () => {
    const choice = {
      rateInterval: ALL_OF_IT,
      service: SERVICE,
      manager: "shop",
      queue: "critical",
      handler: "ship",
    };
    const show = (title: string, chosen: typeof choice) => {
      const [target] = panels.find((panel) => panel.title === title)?.targets ?? [];
      return ask(withCounts(fillIn(target?.expr ?? "", chosen)));
    };
    expect(await show("Completed by handler", choice)).toEqual([one(24, { handler: "ship" })]);
    expect(await show("Oldest wait", { ...choice, manager: "old" })).toEqual(ofManagers({ old: 0 }));
    expect(await show("Started by queue", { ...choice, queue: "bulk", handler: ".*" })).toEqual(
      by("queue")
        .of("tasks_started_total")
        .filter(({ labels }) => labels["queue"] === "bulk"),
    );
    expect(await show("Completed by handler", { ...choice, manager: "mail|old" })).toEqual([]);
    expect(await show("Completed by handler", { ...choice, service: "others" })).toEqual([]);
  });

  it.each(["Run time", "Wait"])("says under %s where its buckets end", async (title) => {
    const { description = "", targets = [] } = panels.find((panel) => panel.title === title) ?? {};
    const [metric = ""] = targets[0]?.expr.match(/\w+_bucket/) ?? [];
    const found = await ask(`count by (le) (${metric}{otel_scope_name="millrace"})`);
    const bounds = found.map(({ labels }) => Number(labels["le"])).filter(Number.isFinite);
    expect(description).toContain(`Buckets end at ${Math.max(...bounds)} s.`);
  });

  it("offers services, managers, queues and handlers to choose from", async () => {
    const offers: Record<string, readonly (string | undefined)[]> = {};
    for (const { name, type, query } of dashboard.templating.list) {
      if (type === "datasource" || typeof query === "string") continue;
      const [, selector = "", label = ""] = query.query.match(/^label_values\((.*), (\w+)\)$/) ?? [];
      const found = await ask(fillIn(`count by (${label}) (${selector})`, { rateInterval: ALL_OF_IT }));
      offers[name] = found.map(({ labels }) => labels[label]).sort();
    }
    expect(offers).toEqual({
      service: [SERVICE],
      manager: ["batch", "broken", "crunch", "mail", "night", "old", "post", "shop"],
      queue: ["bulk", "critical", "default"],
      handler: [
        ...["(function)", "add", "bounce", "charge", "exit", "hang", "hold", "index", "late", "letter"],
        ...["lost", "never", "parcel", "ship", "slow", "stubborn"],
      ],
    });
  });

  it("has seen the longest delay of the event loop in one of the scrapes", async () => {
    const delay = await longestDelay();
    expect(delay).toBeGreaterThan((BLOCKED_MS - 100) / 1_000);
    expect(delay).toBeLessThan(10);
  });
});

describe("the alert rules, in the same Prometheus", () => {
  it("are all expected", () => {
    expect([...Object.keys(ALERTING), PASSING]).toEqual(alerts.map(({ alert }) => alert));
  });

  it("are evaluated without an error", async () => {
    const rules = await prometheus.rules();
    expect(rules.map(({ name, health }) => `${name}: ${health}`)).toEqual(
      alerts.map(({ alert }) => `${alert}: ok`),
    );
  });

  it.each(alerts.filter(({ alert }) => alert !== PASSING))(
    "$alert finds what is wrong, and nothing else",
    async ({ alert, expr }) => {
      const found = await ask(expr);
      const seen = found.map(({ labels: { job, instance, ...others } }) => {
        expect(job).toBe(SERVICE);
        expect(instance ?? workload.target).toBe(workload.target);
        const { __name__: _, ...named } = others;
        return named;
      });
      expect(seen).toEqual(ALERTING[alert]);
    },
  );

  it(`${PASSING} finds the scrape before which the loop was blocked`, async () => {
    const { expr = "" } = alerts.find(({ alert }) => alert === PASSING) ?? {};
    const series = await prometheus.queryRange(expr, startedAt, Date.now() / 1_000, 0.1);
    expect(series.map(({ labels }) => labels)).toEqual([{ job: SERVICE, instance: workload.target }]);
  });
});
