import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

/** Serves metrics for Prometheus on a free port of this machine. */
export class MetricsServer implements AsyncDisposable {
  readonly provider: MeterProvider;
  readonly #server: Server;

  private constructor(provider: MeterProvider, server: Server) {
    this.provider = provider;
    this.#server = server;
  }

  static async start(): Promise<MetricsServer> {
    const exporter = new PrometheusExporter({ preventServerStart: true });
    const provider = new MeterProvider({ readers: [exporter] });
    const server = createServer((request, response) => exporter.getMetricsRequestHandler(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new MetricsServer(provider, server);
  }

  /** Where: `host:port`. */
  get target(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider.shutdown();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
