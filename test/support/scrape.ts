import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { type IMetricReader, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";

/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A reader that collects when a test says so. */
export class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** What Prometheus would be given: the text, and its samples. */
export class Scrape {
  readonly text: string;
  readonly samples: readonly Sample[];

  constructor(text: string) {
    this.text = text;
    this.samples = text.split("\n").flatMap((line) => toSample(line) ?? []);
  }

  /** Samples of that name whose labels have all of these. */
  find(name: string, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** The sum of those. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number {
    return this.find(name, labels).reduce((total, { value }) => total + value, 0);
  }

  /** Sums by some of the labels, joined by a space; those that are 0 are left out. */
  by(name: string, ...keys: readonly string[]): Record<string, number> {
    const sums = new Map<string, number>();
    for (const { labels, value } of this.find(name)) {
      const key = keys.map((each) => labels[each] ?? "").join(" ");
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0));
  }

  /** The names of all metrics, as their types are declared. */
  get names(): readonly string[] {
    return [...this.text.matchAll(/^# TYPE (\S+) /gm)].map(([, name = ""]) => name);
  }
}

/** A provider of its own, and what scrapes it. */
export class ScrapedProvider {
  readonly reader = new ManualReader();
  readonly provider: MeterProvider;

  /** @param others readers beside it */
  constructor(others: readonly IMetricReader[] = []) {
    this.provider = new MeterProvider({ readers: [this.reader, ...others] });
  }

  /** Collects as Prometheus would, through the exporter's own serializer. @throws what a callback rejected with */
  async scrape(): Promise<Scrape> {
    const { resourceMetrics, errors } = await this.reader.collect();
    if (errors.length > 0) throw new AggregateError(errors, "a collection failed");
    const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
    return new Scrape(serializer.serialize(resourceMetrics));
  }
}

function toSample(line: string): Sample | undefined {
  const [, name, labels = "", value] = line.match(/^([a-zA-Z_]\w*)(?:\{(.*)\})? (\S+)$/) ?? [];
  if (name === undefined || value === undefined) return undefined;
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  return {
    name,
    labels: Object.fromEntries(pairs.map(([, key = "", text = ""]) => [key, JSON.parse(`"${text}"`)])),
    value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
  };
}
