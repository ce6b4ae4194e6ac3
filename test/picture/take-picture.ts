import { type DashboardTarget, fillIn, panelsOf, readDashboard } from "../support/dashboard.js";
import { MetricsServer } from "../support/metrics-server.js";
import { Prometheus } from "../support/prometheus.js";
import { BusyShop } from "./busy-shop.js";
import { drawDashboard, type PanelSeries } from "./draw-dashboard.js";

interface PictureOptions {
  /** How long the workload goes on that is to be seen. */
  readonly durationMs: number;
  readonly scrapeIntervalMs: number;
}

/** Runs a workload under a real Prometheus and draws what the queries of the dashboard say of it, as SVG. */
export async function takePicture({ durationMs, scrapeIntervalMs }: PictureOptions): Promise<string> {
  const server = await MetricsServer.start();
  const source = { service: "store", target: server.target, scrapeIntervalMs };
  const prometheus = await Prometheus.start(source);
  try {
    const shop = new BusyShop(server.provider, durationMs);
    await prometheus.nextScrape(); // all counters are seen at 0
    const from = Date.now() / 1_000;
    await shop.run();
    await prometheus.nextScrape();
    const to = Date.now() / 1_000;
    const step = scrapeIntervalMs / 1_000;
    const rateInterval = `${scrapeIntervalMs * 4}ms`; // as Grafana has it
    const ask = async ({ expr, legendFormat }: DashboardTarget): Promise<readonly PanelSeries[]> => {
      const series = await prometheus.queryRange(fillIn(expr, { rateInterval }), from, to, step);
      return series.map((each) => ({ ...each, legendFormat }));
    };
    const dashboard = readDashboard();
    const series = new Map<number, readonly PanelSeries[]>();
    for (const { id, targets = [] } of panelsOf(dashboard))
      series.set(id, (await Promise.all(targets.map(ask))).flat());
    const seconds = Math.round(to - from);
    const caption = `Three managers of one process in ${seconds} eventful seconds, scraped by Prometheus every ${step} s`;
    return drawDashboard({ dashboard, series, from, to, caption });
  } finally {
    await prometheus[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  }
}
