import { type ScaleLinear, scaleLinear } from "d3-scale";
import { area, curveLinear, curveStepAfter, line } from "d3-shape";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Line {
  readonly legend: string;
  readonly color: string;
  /** Pairs of epoch seconds and value. */
  readonly points: readonly (readonly [number, number])[];
}

/** One panel: lines over a time. */
export interface Chart {
  readonly title: string;
  /** As Grafana names it. */
  readonly unit: string;
  /** The end of the axis of values; undefined where the values say it. */
  readonly max: number | undefined;
  readonly lines: readonly Line[];
  readonly from: number;
  readonly to: number;
  /** Each line lies upon the one before. */
  readonly stacked: boolean;
  /** A value holds until the next one. */
  readonly stepped: boolean;
}

/** A value, and the one on which it lies. */
interface Point {
  readonly at: number;
  readonly low: number;
  readonly high: number;
}

const TICKS = 3;
const PADDING = 10;
const TITLE_HEIGHT = 32;
const TICKS_WIDTH = 34;
const TIMES_HEIGHT = 16;
const LEGEND_LINE = 14;
/** Of an average font at 10 pixels. */
const CHARACTER = { wide: 7.5, other: 5.3 };
const SWATCH = 12;
const GAP = 10;

/** A text of SVG. */
export function text(x: number, y: number, content: string, style = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${round(x)}" y="${round(y)}"${style === "" ? "" : ` class="${style}"`}>${escaped}</text>`;
}

/** Draws a card with title, unit, axes, lines and legend. */
export function drawChart(box: Box, chart: Chart): string {
  const legend = layOutLegend(chart.lines, box.width - 2 * PADDING);
  const plot: Box = {
    x: box.x + PADDING + TICKS_WIDTH,
    y: box.y + TITLE_HEIGHT,
    width: box.width - 2 * PADDING - TICKS_WIDTH,
    height: box.height - TITLE_HEIGHT - TIMES_HEIGHT - legend.height - PADDING / 2,
  };
  const layers = toLayers(chart);
  const values = layers.flat().map(({ high }) => high);
  const highest = chart.max ?? Math.max(0, ...values.filter(Number.isFinite));
  const { factor, name } = toUnit(chart.unit, highest);
  const y = scaleLinear([0, highest * factor || 1], [plot.y + plot.height, plot.y]).nice(TICKS);
  const x = scaleLinear([chart.from, chart.to], [plot.x, plot.x + plot.width]);
  return [
    `<g class="panel">`,
    `<rect class="card" x="${round(box.x)}" y="${round(box.y)}" width="${round(box.width)}" height="${round(box.height)}" rx="4"/>`,
    text(box.x + PADDING, box.y + 17, chart.title, "title"),
    text(box.x + box.width - PADDING, box.y + 17, name, "end"),
    ...drawAxes(plot, { x, y }, isWhole(chart.unit)),
    ...chart.lines.flatMap((line, index) => drawLine(line, layers[index] ?? [], { chart, x, y, factor })),
    ...legend.draw(box.x + PADDING, plot.y + plot.height + TIMES_HEIGHT),
    "</g>",
  ].join("\n");
}

/** Where the values of each line lie. */
function toLayers({ lines, stacked }: Chart): readonly (readonly Point[])[] {
  const tops = new Map<number, number>();
  return lines.map(({ points }) => {
    const layer = points.map(([at, value]) => {
      const low = stacked ? (tops.get(at) ?? 0) : 0;
      const high = low + value;
      if (Number.isFinite(high)) tops.set(at, high);
      return { at, low, high };
    });
    return layer.filter((point, index) => !isBetweenEquals(point, layer[index - 1], layer[index + 1]));
  });
}

/** Whether the line is the same without the point. */
function isBetweenEquals({ low, high }: Point, before: Point | undefined, after: Point | undefined): boolean {
  return [before, after].every((other) => other !== undefined && other.low === low && other.high === high);
}

interface Scales {
  readonly chart: Chart;
  readonly x: ScaleLinear<number, number>;
  readonly y: ScaleLinear<number, number>;
  readonly factor: number;
}

function drawLine({ color }: Line, points: readonly Point[], { chart, x, y, factor }: Scales): string[] {
  const curve = chart.stepped ? curveStepAfter : curveLinear;
  const isNumber = ({ high }: Point) => Number.isFinite(high);
  const toX = ({ at }: Point) => x(at);
  const upper = line<Point>(toX, ({ high }) => y(high * factor))
    .defined(isNumber)
    .curve(curve)
    .digits(1);
  const filled = area<Point>(
    toX,
    ({ low }) => y(low * factor),
    ({ high }) => y(high * factor),
  );
  const surface = chart.stacked ? filled.defined(isNumber).curve(curve).digits(1)([...points]) : null;
  return [
    ...(surface === null ? [] : [`<path d="${surface}" fill="${color}" fill-opacity="0.25"/>`]),
    `<path class="line" d="${upper([...points]) ?? ""}" stroke="${color}"/>`,
  ];
}

function drawAxes(plot: Box, { x, y }: Pick<Scales, "x" | "y">, whole: boolean): string[] {
  const right = round(plot.x + plot.width);
  const bottom = plot.y + plot.height;
  const [from = 0] = x.domain();
  const span = x.domain().map((at) => at - from);
  const seconds = scaleLinear(span, x.range());
  const format = y.tickFormat(TICKS);
  const ticks = y.ticks(TICKS).filter((tick) => !whole || Number.isInteger(tick));
  return [
    ...ticks.flatMap((tick) => [
      `<path class="grid" d="M${round(plot.x)},${round(y(tick))}H${right}"/>`,
      text(plot.x - 5, y(tick) + 3.5, whole ? tick.toLocaleString("en") : format(tick), "end"),
    ]),
    `<path class="axis" d="M${round(plot.x)},${round(bottom)}H${right}"/>`,
    ...seconds
      .ticks(5)
      .filter((tick) => seconds(tick) < plot.x + plot.width - 8)
      .map((tick) => text(seconds(tick), bottom + 12, `${tick} s`, "middle")),
  ];
}

/** Units of Grafana, so that the numbers of the axis are neither long nor tiny. */
function toUnit(unit: string, highest: number): { readonly factor: number; readonly name: string } {
  if (unit === "percentunit") return { factor: 100, name: "%" };
  if (unit === "s") return highest < 1 ? { factor: 1_000, name: "ms" } : { factor: 1, name: "s" };
  return { factor: 1, name: unit.replace("suffix: ", "").replace(/^\//, "1/") };
}

/** Whether what is counted comes in whole numbers: tasks, but not tasks/s. */
function isWhole(unit: string): boolean {
  return unit.startsWith("suffix: ") && !unit.includes("/");
}

/** Legends beside each other, in as many lines as they need. */
function layOutLegend(lines: readonly Line[], width: number) {
  let [x, row] = [0, 0];
  const places = lines.map(({ legend, color }) => {
    const needed = SWATCH + widthOf(legend) + GAP;
    if (x > 0 && x + needed - GAP > width) [x, row] = [0, row + 1];
    const place = { legend, color, x, row };
    x += needed;
    return place;
  });
  return {
    height: (row + 1) * LEGEND_LINE,
    draw: (left: number, top: number) =>
      places.flatMap(({ legend, color, x, row }) => {
        const y = top + row * LEGEND_LINE;
        return [
          `<rect x="${round(left + x)}" y="${round(y + 6)}" width="8" height="3" rx="1" fill="${color}"/>`,
          text(left + x + SWATCH, y + 11, legend),
        ];
      }),
  };
}

function widthOf(content: string): number {
  const wide = content.match(/[A-Z_mw%]/g)?.length ?? 0;
  return wide * CHARACTER.wide + (content.length - wide) * CHARACTER.other;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
