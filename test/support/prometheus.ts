import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPrometheus } from "./prometheus-programs.js";

/** What Prometheus is to scrape, and how. */
export interface PrometheusOptions {
  /** The label `job` of what is scraped. */
  readonly service: string;
  /** `host:port` of what is scraped, which is its label `instance`. */
  readonly target: string;
  readonly scrapeIntervalMs: number;
  /** Files of alert rules. */
  readonly rules?: readonly string[];
}

/** One series at one moment. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One series over a time: pairs of epoch seconds and value. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly (readonly [number, number])[];
}

interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

const START_TIMEOUT_MS = 20_000;
const SCRAPE_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 20;

/** A real Prometheus on a free port of this machine, which keeps what it scrapes in a temporary folder. */
export class Prometheus implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #address: string;
  readonly #service: string;

  private constructor(process: ChildProcess, folder: string, address: string, service: string) {
    this.#process = process;
    this.#folder = folder;
    this.#address = address;
    this.#service = service;
  }

  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const { prometheus } = await findPrometheus();
    const folder = await mkdtemp(join(tmpdir(), "millrace-prometheus-"));
    const config = join(folder, "prometheus.json"); // JSON is YAML too
    await writeFile(config, JSON.stringify(toConfig(options)));
    const child = spawn(
      prometheus,
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, "series")}`,
        "--web.listen-address=127.0.0.1:0",
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    try {
      return new Prometheus(child, folder, await addressOf(child), options.service);
    } catch (error) {
      await end(child, folder);
      throw error;
    }
  }

  /** The value of an expression now. */
  async query(expression: string): Promise<readonly Sample[]> {
    const result = await this.#get("query", { query: expression });
    return (result as RawSeries[]).map(({ metric, value }) => ({
      labels: metric,
      value: Number(value?.[1]),
    }));
  }

  /** The values of an expression from one instant to another, in epoch seconds, at each step. */
  async queryRange(expression: string, start: number, end: number, step: number): Promise<readonly Series[]> {
    const range = { start: String(start), end: String(end), step: String(step) };
    const result = await this.#get("query_range", { query: expression, ...range });
    return (result as RawSeries[]).map(({ metric, values = [] }) => ({
      labels: metric,
      points: values.map(([at, value]) => [at, Number(value)] as const),
    }));
  }

  /** Resolves when a scrape is there that was begun after this call. */
  async nextScrape(): Promise<void> {
    const calledAt = Date.now();
    const latest = `timestamp(up{job="${this.#service}"} == 1)`;
    for (;;) {
      const [sample] = await this.query(latest);
      if (sample !== undefined && sample.value * 1_000 > calledAt) return;
      if (Date.now() - calledAt > SCRAPE_TIMEOUT_MS)
        throw new Error(`Prometheus has scraped nothing for ${SCRAPE_TIMEOUT_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** Each rule that it has loaded, with how its last evaluation went. */
  async rules(): Promise<readonly { readonly name: string; readonly health: string }[]> {
    const { data } = (await this.#fetch("rules")) as { data: { groups: { rules: never[] }[] } };
    return data.groups.flatMap(({ rules }) => rules);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#process, this.#folder);
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const answer = (await this.#fetch(`${path}?${new URLSearchParams(parameters)}`)) as {
      readonly error?: string;
      readonly data?: { readonly result: unknown };
    };
    if (answer.data === undefined) throw new Error(`${answer.error}: ${parameters["query"]}`);
    return answer.data.result;
  }

  async #fetch(path: string): Promise<unknown> {
    const response = await fetch(`http://${this.#address}/api/v1/${path}`);
    return response.json();
  }
}

function toConfig({ service, target, scrapeIntervalMs, rules = [] }: PrometheusOptions): object {
  const interval = `${scrapeIntervalMs}ms`;
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: rules,
    scrape_configs: [{ job_name: service, static_configs: [{ targets: [target] }] }],
  };
}

/** It says itself on which port it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = "";
    let address: string | undefined;
    const fail = (why: string) => reject(new Error(`Prometheus ${why}:\n${log}`));
    const timer = setTimeout(() => fail("has not started in time"), START_TIMEOUT_MS);
    child.on("error", (error) => fail(`could not be started, ${error.message}`));
    child.on("exit", (code) => fail(`ended with ${code}`));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      if (log.length > 100_000) return;
      log += text;
      address ??= log.match(/msg="Listening on".* address=(127\.0\.0\.1:\d+)/)?.[1];
      if (address === undefined || !log.includes("Server is ready to receive web requests")) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL"); // nothing of it is kept
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}
