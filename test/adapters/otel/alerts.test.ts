import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ALERTS_FILE, readAlerts } from "../../support/dashboard.js";
import { findPrometheus } from "../../support/prometheus-programs.js";

/**
 * What is scraped once a minute, by series, in promtool's notation: `0+3x10` is 0 and ten more values, each 3
 * larger; `5x10` is 5 eleven times; `_x10` is ten scrapes without a value.
 */
type Scraped = Readonly<Record<string, string>>;

interface AlertCase {
  readonly alert: string;
  readonly scraped: Scraped;
  /** Minutes at which the alert fires, and at which it does not, before and after. */
  readonly firesAt: number;
  readonly quietAt: readonly number[];
  /** The alert beside its severity. */
  readonly labels: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly description: string;
}

/** The same alert where all is as it should be. */
interface QuietTwin {
  readonly alert: string;
  readonly why: string;
  readonly scraped: Scraped;
  /** The minute from which on; 0 where it is not given. */
  readonly from?: number;
}

const LAST_MINUTE = 60;
const SHOP = 'job="shop", instance="a:9464", manager="orders"';
const OF_SHOP = { job: "shop", instance: "a:9464", manager: "orders" };
const KIND = `${SHOP}, queue="bulk", handler="index"`;

const running = { [`manager_phase{${SHOP}, phase="running"}`]: "1x60" };
const notPaused = { [`tasks_paused{${SHOP}}`]: "0x60" };
const waiting = { ...notPaused, [`queue_depth{${KIND}, lane="inline"}`]: "3x60" };
/** In queues that are too many to have a label each. */
const paused = {
  [`queue_depth{${SHOP}, queue="_OTHER", handler="index", lane="inline"}`]: "7x60",
  [`queue_paused{${SHOP}, queue="_OTHER"}`]: "0x60",
  [`tasks_paused{${SHOP}}`]: "7x60",
};
const limited = { [`limiter_rate{${SHOP}}`]: "20x60" };
const still = { [`tasks_started_total{${KIND}}`]: "8x60" };

const lost = ({
  refused,
  dropped,
  hookCalls,
}: Record<"refused" | "dropped" | "hookCalls", string>): Scraped => ({
  [`tasks_refused_total{${KIND}}`]: refused,
  [`tasks_dropped_total{${KIND}}`]: dropped,
  [`hook_calls_dropped_total{${SHOP}}`]: hookCalls,
});

/** Dead letters of one handler, by reason. */
const deadLetters = (counts: Readonly<Record<string, string>>): Scraped =>
  Object.fromEntries(
    Object.entries(counts).map(([reason, values]) => [
      `tasks_dead_lettered_total{${KIND}, reason="${reason}"}`,
      values,
    ]),
  );

/** Threads that are no more, by reason. */
const exited = (counts: Readonly<Record<string, string>>): Scraped =>
  Object.fromEntries(
    Object.entries(counts).map(([reason, values]) => [
      `worker_threads_exited_total{${SHOP}, reason="${reason}"}`,
      values,
    ]),
  );

const CASES: readonly AlertCase[] = [
  {
    alert: "MillraceNoProgress",
    scraped: {
      ...{ ...running, ...waiting, ...paused },
      [`tasks_started_total{${KIND}}`]: "0+3x10 30x20 31+3x29",
    },
    ...{ firesAt: 20, quietAt: [19, 35, 60], labels: OF_SHOP }, // 10 minutes after the last start
    summary: "shop starts no tasks",
    description:
      '3 tasks wait in manager "orders" of a:9464, and none has been started for about 10 minutes or more, though ' +
      "it is neither paused nor stopping.",
  },
  {
    alert: "MillraceOldestWait",
    scraped: { ...running, [`oldest_wait_seconds{${SHOP}}`]: "0+60x20 0x39" },
    ...{ firesAt: 10, quietAt: [6, 21, 60], labels: OF_SHOP },
    summary: "A task of shop has waited for 10m 0s",
    description:
      'In manager "orders" of a:9464 the task that became ready first has waited for 10m 0s and was never started. ' +
      "Tasks of queues that are paused by name count too; those that have been started before do not.",
  },
  {
    alert: "MillraceLimiterSaturated",
    scraped: { ...limited, [`limiter_wait_seconds_total{${SHOP}}`]: "0+60x30 1800x29" },
    ...{ firesAt: 20, quietAt: [9, 40, 60], labels: OF_SHOP },
    summary: "The rate limit of shop is used up",
    description:
      'In manager "orders" of a:9464 the shared rate limit alone, or a handler\'s rateLimited() for all, has kept ' +
      "tasks from their start for 100% of the time.",
  },
  {
    alert: "MillraceResultsDropped",
    scraped: { [`results_dropped_total{${SHOP}, subscription="audit"}`]: "0x10 4x49" },
    ...{ firesAt: 12, quietAt: [10, 20, 60], labels: { ...OF_SHOP, subscription: "audit" } },
    summary: "A subscriber of shop loses results",
    description:
      'In manager "orders" of a:9464 the subscription "audit" has dropped about 4 results in 5 minutes.',
  },
  {
    alert: "MillraceResultsDropped",
    scraped: { [`results_dropped_total{${SHOP}, subscription="audit"}`]: "_x9 5000x50" },
    ...{ firesAt: 11, quietAt: [8, 15, 60], labels: { ...OF_SHOP, subscription: "audit" } },
    summary: "A subscriber of shop loses results",
    description:
      'In manager "orders" of a:9464 the subscription "audit" has dropped about 5k results in 5 minutes.',
  },
  {
    alert: "MillraceNoRoom",
    scraped: lost({ refused: "0x10 6x49", dropped: "0x10 4x49", hookCalls: "0x10 1x49" }),
    ...{ firesAt: 15, quietAt: [10, 25, 60], labels: OF_SHOP },
    summary: "shop has no room for all that it is given",
    description:
      'Manager "orders" of a:9464 has refused or dropped about 11 tasks and hook calls in 10 minutes for want of room.',
  },
  {
    alert: "MillraceNoRoom",
    scraped: lost({ refused: "_x9 0x50", dropped: "_x9 0x50", hookCalls: "_x5 5000x54" }),
    ...{ firesAt: 12, quietAt: [4, 20, 60], labels: OF_SHOP },
    summary: "shop has no room for all that it is given",
    description:
      'Manager "orders" of a:9464 has refused or dropped about 5k tasks and hook calls in 10 minutes for want of room.',
  },
  {
    alert: "MillraceFailureRatio",
    scraped: {
      [`tasks_failed_total{${KIND}, reason="error"}`]: "0+2x20 40x39",
      [`tasks_failed_total{${KIND}, reason="timeout"}`]: "0+1x20 20x39",
      [`tasks_completed_total{${KIND}}`]: "0+9x60",
    },
    firesAt: 20,
    quietAt: [5, 35, 60],
    labels: { job: "shop", manager: "orders", queue: "bulk", handler: "index" },
    summary: "25% of the tasks of index fail in shop",
    description:
      'Of the tasks of handler index in queue bulk (manager "orders") that ended in 10 minutes, 25% have failed ' +
      "for good, after all of their attempts.",
  },
  {
    alert: "MillraceTasksAbandoned",
    scraped: { [`tasks_abandoned_total{${KIND}}`]: "0x10 9x49" },
    ...{ firesAt: 15, quietAt: [10, 25, 60], labels: { ...OF_SHOP, queue: "bulk", handler: "index" } },
    summary: "Handler index of shop ignores its signal",
    description:
      "About 9 attempts of handler index in queue bulk of a:9464 were given up in 10 minutes and may still go on in " +
      "the background.",
  },
  {
    alert: "MillraceTasksAbandoned",
    scraped: { [`tasks_abandoned_total{${KIND}}`]: "_x9 5000x50" },
    ...{ firesAt: 18, quietAt: [8, 20, 60], labels: { ...OF_SHOP, queue: "bulk", handler: "index" } },
    summary: "Handler index of shop ignores its signal",
    description:
      "About 5k attempts of handler index in queue bulk of a:9464 were given up in 10 minutes and may still go on in " +
      "the background.",
  },
  {
    alert: "MillraceThreadsFailing",
    scraped: { [`worker_threads_failing{${SHOP}}`]: "0x10 1x20 0x29" },
    ...{ firesAt: 12, quietAt: [10, 33, 60], labels: OF_SHOP },
    summary: "shop can start no worker threads",
    description:
      'In manager "orders" of a:9464 ten starts of worker threads in a row have failed, and none has come up since: ' +
      "tasks of all handlers that run in threads fail.",
  },
  {
    alert: "MillraceHandlerFailing",
    scraped: {
      [`handler_failing{${SHOP}, handler="index"}`]: "0x10 1x20 0x29",
      [`handler_failing{${SHOP}, handler="mail"}`]: "0x60",
    },
    ...{ firesAt: 12, quietAt: [10, 33, 60], labels: { ...OF_SHOP, handler: "index" } },
    summary: "The module of handler index of shop cannot be loaded",
    description:
      'In manager "orders" of a:9464 worker threads could not import the module of handler index ten times in a row, ' +
      "and not once since: all of its tasks fail.",
  },
  {
    alert: "MillraceThreadsDying",
    scraped: exited({ killed: "0x10 4x49", "late-fault": "0x10 3x49", idle: "0x10 90x49" }),
    ...{ firesAt: 15, quietAt: [10, 25, 60], labels: OF_SHOP },
    summary: "Worker threads of shop die",
    description:
      'In manager "orders" of a:9464 about 7 worker threads have died or were killed in 10 minutes.',
  },
  {
    alert: "MillraceThreadsDying",
    scraped: exited({ exited: "_x9 800x50" }),
    ...{ firesAt: 12, quietAt: [8, 20, 60], labels: OF_SHOP },
    summary: "Worker threads of shop die",
    description:
      'In manager "orders" of a:9464 about 800 worker threads have died or were killed in 10 minutes.',
  },
  {
    alert: "MillraceStoreUnreachable",
    scraped: { [`store_reachable{${SHOP}}`]: "1x10 0x20 1x29" },
    ...{ firesAt: 13, quietAt: [10, 12, 33, 60], labels: OF_SHOP },
    summary: "shop does not get on with its durable tasks",
    description:
      'Manager "orders" of a:9464 asks its store in vain to keep, claim, renew or end durable tasks.',
  },
  {
    alert: "MillraceDeadLetters",
    scraped: deadLetters({ error: "0x10 2x49", "crash-loop": "0x10 1x49" }),
    firesAt: 15,
    quietAt: [10, 25, 60],
    labels: { job: "shop", manager: "orders", queue: "bulk", handler: "index" },
    summary: "Durable tasks of index of shop have become dead letters",
    description:
      'About 3 durable tasks of handler index in queue bulk (manager "orders") have become dead letters in 10 minutes.',
  },
  {
    alert: "MillraceDeadLetters",
    scraped: deadLetters({ error: "_x9 40x50" }),
    firesAt: 11,
    quietAt: [8, 25, 60],
    labels: { job: "shop", manager: "orders", queue: "bulk", handler: "index" },
    summary: "Durable tasks of index of shop have become dead letters",
    description:
      'About 40 durable tasks of handler index in queue bulk (manager "orders") have become dead letters in 10 minutes.',
  },
  {
    alert: "MillraceLeasesLost",
    scraped: { [`leases_lost_total{${KIND}}`]: "0x10 9x49" },
    ...{ firesAt: 15, quietAt: [10, 25, 60], labels: OF_SHOP },
    summary: "shop loses leases of durable tasks",
    description:
      'Manager "orders" of a:9464 has lost about 9 leases in 10 minutes: their tasks run once more.',
  },
  {
    alert: "MillraceStoreBacklog",
    scraped: {
      [`store_tasks{${SHOP}, queue="bulk", state="ready"}`]: "0x10 5000x30 10x19",
      [`store_tasks{job="shop", instance="b:9464", manager="orders", queue="bulk", state="ready"}`]:
        "0x10 5000x30 10x19",
      [`store_tasks{${SHOP}, queue="bulk", state="delayed"}`]: "9000x60",
    },
    firesAt: 30,
    quietAt: [10, 24, 45, 60],
    labels: { job: "shop", manager: "orders", queue: "bulk" },
    summary: "Durable tasks of shop pile up in queue bulk",
    description:
      '5k durable tasks wait in queue bulk of manager "orders" for a process to claim them, and more than 1,000 have ' +
      "for 15 minutes.",
  },
  {
    alert: "MillraceEventLoopBlocked",
    scraped: {
      [`event_loop_delay_seconds{${SHOP}, quantile="1"}`]: "0.01x10 0.75x20 0.01x28",
      [`event_loop_delay_seconds{${SHOP}, quantile="0.5"}`]: "0.01x60",
    },
    ...{ firesAt: 20, quietAt: [14, 33, 60], labels: { job: "shop", instance: "a:9464" } },
    summary: "The event loop of shop is blocked",
    description:
      "On a:9464 something has blocked the event loop for 750ms, and it has been blocked for more than half a second " +
      "again and again for 5 minutes.",
  },
];

const TWINS: readonly QuietTwin[] = [
  ...["paused", "ready", "draining", "aborting", "stopped"].map((phase) => ({
    alert: "MillraceNoProgress",
    why: `the manager is ${phase}`,
    scraped: {
      ...{ ...waiting, ...still },
      [`manager_phase{${SHOP}, phase="running"}`]: "0x60",
      [`manager_phase{${SHOP}, phase="${phase}"}`]: "1x60",
    },
  })),
  {
    alert: "MillraceNoProgress",
    why: "all that waits is in a queue that is paused",
    scraped: { ...running, ...waiting, ...still, [`tasks_paused{${SHOP}}`]: "3x60" },
  },
  {
    alert: "MillraceNoProgress",
    why: "all that waits is in queues that are paused, and too many to have a label each",
    scraped: { ...running, ...still, ...paused },
  },
  {
    alert: "MillraceNoProgress",
    why: "nothing waits",
    scraped: { ...running, ...still, ...notPaused, [`queue_depth{${KIND}, lane="inline"}`]: "0x60" },
  },
  {
    alert: "MillraceNoProgress",
    why: "something of another queue is started now and then",
    scraped: {
      ...{ ...running, ...waiting, ...still },
      [`tasks_started_total{${SHOP}, queue="mail", handler="send"}`]: "0+1x60",
    },
  },
  {
    alert: "MillraceNoProgress",
    why: "tasks come and go between the scrapes of a manager that was idle",
    scraped: {
      ...running,
      ...still,
      ...notPaused,
      [`queue_depth{${KIND}, lane="inline"}`]: "0x9 1x1 0x9 2x2 0x39",
    },
  },
  {
    alert: "MillraceOldestWait",
    why: "the manager is paused",
    scraped: {
      [`oldest_wait_seconds{${SHOP}}`]: "0+60x60",
      [`manager_phase{${SHOP}, phase="running"}`]: "0x60",
      [`manager_phase{${SHOP}, phase="paused"}`]: "1x60",
    },
  },
  {
    alert: "MillraceOldestWait",
    why: "tasks wait, but not for long",
    scraped: { ...running, [`oldest_wait_seconds{${SHOP}}`]: "290x60" },
  },
  {
    alert: "MillraceLimiterSaturated",
    why: "the limit is met half of the time",
    scraped: { ...limited, [`limiter_wait_seconds_total{${SHOP}}`]: "0+30x60" },
  },
  {
    alert: "MillraceLimiterSaturated",
    why: "handlers hold everything back, and there is no limit",
    scraped: { [`limiter_rate{${SHOP}}`]: "0x60", [`limiter_wait_seconds_total{${SHOP}}`]: "0+60x60" },
  },
  {
    alert: "MillraceResultsDropped",
    why: "nothing is dropped any more, or the process has begun anew",
    scraped: { [`results_dropped_total{${SHOP}, subscription="audit"}`]: "70x30 0x30" },
    from: 5,
  },
  {
    alert: "MillraceNoRoom",
    why: "a task is refused now and then",
    scraped: lost({ refused: "0+1x60", dropped: "0x60", hookCalls: "0x60" }),
  },
  {
    alert: "MillraceNoRoom",
    why: "much was lost, long ago",
    scraped: lost({ refused: "90x60", dropped: "80x60", hookCalls: "70x60" }),
    from: 10,
  },
  {
    alert: "MillraceFailureRatio",
    why: "few fail of many",
    scraped: {
      [`tasks_failed_total{${KIND}, reason="error"}`]: "0+1x60",
      [`tasks_completed_total{${KIND}}`]: "0+99x60",
    },
  },
  {
    alert: "MillraceFailureRatio",
    why: "most fail, of very few",
    scraped: {
      [`tasks_failed_total{${KIND}, reason="error"}`]: "0+1x60",
      [`tasks_completed_total{${KIND}}`]: "0x60",
    },
  },
  {
    alert: "MillraceTasksAbandoned",
    why: "an abandoned attempt of long ago goes on",
    scraped: { [`tasks_abandoned_total{${KIND}}`]: "1x60", [`attempts_abandoned{${SHOP}}`]: "1x60" },
    from: 10,
  },
  {
    alert: "MillraceThreadsFailing",
    why: "a start fails now and then",
    scraped: { [`worker_threads_failing{${SHOP}}`]: "0x60", ...exited({ "start-failed": "0+1x60" }) },
  },
  {
    alert: "MillraceHandlerFailing",
    why: "it was told of for less than a minute, and is mended",
    scraped: { [`handler_failing{${SHOP}, handler="index"}`]: "0x20 1 0x39" },
  },
  {
    alert: "MillraceThreadsDying",
    why: "threads come and go with the load, and are replaced when they are large",
    scraped: exited({ idle: "0+9x60", "task-count": "0+5x60", heap: "0+5x60", resized: "0+5x60" }),
  },
  {
    alert: "MillraceThreadsDying",
    why: "one is killed every three minutes",
    scraped: exited({ killed: "0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7 7 7 8 8 8 9 9 9" }),
  },
  {
    alert: "MillraceThreadsDying",
    why: "many have died long ago",
    scraped: exited({ killed: "70x60", stopped: "4x60" }),
    from: 10,
  },
  {
    alert: "MillraceStoreUnreachable",
    why: "it was away for a minute, and again",
    scraped: { [`store_reachable{${SHOP}}`]: "1x10 0 1x10 0 1x37" },
  },
  {
    alert: "MillraceDeadLetters",
    why: "there are many, of long ago",
    scraped: deadLetters({ error: "400x60", timeout: "3x60" }),
    from: 10,
  },
  {
    alert: "MillraceLeasesLost",
    why: "one is lost every three minutes",
    scraped: {
      [`leases_lost_total{${KIND}}`]: "0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7 7 7 8 8 8 9 9 9",
    },
  },
  {
    alert: "MillraceStoreBacklog",
    why: "much is to be done later, and what is ready comes and goes",
    scraped: {
      [`store_tasks{${SHOP}, queue="bulk", state="ready"}`]: "0 5000x9 0 5000x9 0 5000x9 0 5000x9 0 5000x9",
      [`store_tasks{${SHOP}, queue="bulk", state="delayed"}`]: "90000x60",
      [`store_tasks{${SHOP}, queue="bulk", state="dead"}`]: "90000x60",
    },
  },
  {
    alert: "MillraceEventLoopBlocked",
    why: "it was blocked once, for long",
    scraped: { [`event_loop_delay_seconds{${SHOP}, quantile="1"}`]: "0.01x20 9x1 0.01x38" },
  },
];

const execute = promisify(execFile);
const alerts = readAlerts();
let folder: string;
let promtool: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-alerts-"));
  ({ promtool } = await findPrometheus());
}, 240_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs promtool and gives what it wrote; rejects when it found something wrong. */
async function run(...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await execute(promtool, args).catch((error) => {
    throw new Error(`promtool ${args.join(" ")}: ${error.stdout}${error.stderr}`);
  });
  return `${stdout}${stderr}`;
}

/** Runs rules in time that promtool makes up. */
async function runRules(name: string, scraped: Scraped, expectations: readonly object[]): Promise<string> {
  const file = join(folder, `${name}.json`); // JSON is YAML too
  const series = Object.entries(scraped).map(([name, values]) => ({
    series: name.replace("{", '{otel_scope_name="millrace", '),
    values,
  }));
  const test = { interval: "1m", input_series: series, alert_rule_test: expectations };
  const tests = { rule_files: [ALERTS_FILE], evaluation_interval: "1m", tests: [test] };
  await writeFile(file, JSON.stringify(tests));
  return run("test", "rules", file);
}

const quiet = (alertname: string, minute: number) => ({
  ...{ eval_time: `${minute}m`, alertname },
  exp_alerts: [],
});

describe("the alert rules", () => {
  it("are right in the eyes of promtool", async () => {
    expect(await run("check", "rules", "--lint=all", "--lint-fatal", ALERTS_FILE)).toContain(
      `SUCCESS: ${alerts.length} rules found`,
    );
  });

  it("have each a case in which they fire, and a twin in which they do not", () => {
    const names = alerts.map(({ alert }) => alert);
    expect([...new Set(CASES.map(({ alert }) => alert))]).toEqual(names);
    expect([...new Set(TWINS.map(({ alert }) => alert))]).toEqual(names);
    for (const { firesAt, quietAt } of CASES) {
      expect(quietAt.some((minute) => minute < firesAt)).toBe(true);
      expect(quietAt.some((minute) => minute > firesAt)).toBe(true);
    }
  });

  it.each(CASES)("$alert fires at minute $firesAt, says what has happened, and clears", async (each) => {
    const { alert, scraped, firesAt, quietAt, labels, summary, description } = each;
    const rule = alerts.find((other) => other.alert === alert);
    const fires = {
      exp_labels: { ...labels, ...rule?.labels },
      exp_annotations: { summary, description, runbook: rule?.annotations["runbook"] },
    };
    const said = await runRules(alert, scraped, [
      { eval_time: `${firesAt}m`, alertname: alert, exp_alerts: [fires] },
      ...quietAt.map((minute) => quiet(alert, minute)),
    ]);
    expect(said).toContain("SUCCESS");
  });

  it.each(TWINS.map((twin, index) => ({ ...twin, index })))("$alert stays quiet: $why", async (twin) => {
    const minutes = Array.from({ length: LAST_MINUTE + 1 }, (_, minute) => quiet(twin.alert, minute));
    const from = twin.from ?? 0;
    expect(await runRules(`twin-${twin.index}`, twin.scraped, minutes.slice(from))).toContain("SUCCESS");
  });

  it("are told to be wrong where they are", async () => {
    const [{ alert, scraped, firesAt }] = CASES as [AlertCase];
    await expect(runRules("wrong", scraped, [quiet(alert, firesAt)])).rejects.toThrow("MillraceNoProgress");
  });
});

describe("where there is no Prometheus", () => {
  it("fails with what is to be done", async () => {
    const nowhere = { path: folder, cache: "/dev/null/nowhere/" };
    await expect(findPrometheus(nowhere)).rejects.toThrow(
      /Put the programs prometheus and promtool .* on PATH/,
    );
  });
});
