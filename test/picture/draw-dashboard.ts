import type { Dashboard, DashboardPanel } from "../support/dashboard.js";
import type { Series } from "../support/prometheus.js";
import { type Box, drawChart, type Line, text } from "./draw-chart.js";

/** The series of one query of a panel, with the text of its legend. */
export interface PanelSeries extends Series {
  readonly legendFormat: string;
}

/** What is drawn. */
export interface Picture {
  readonly dashboard: Dashboard;
  /** By the id of the panel. */
  readonly series: ReadonlyMap<number, readonly PanelSeries[]>;
  /** Epoch seconds. */
  readonly from: number;
  readonly to: number;
  /** A line below the title. */
  readonly caption: string;
}

const WIDTH = 1_200;
const COLUMN = WIDTH / 24;
const ROW = 26;
const TOP = 52;
const MARGIN = 4;
const COLORS = ["#2f6fd0", "#d9661f", "#2f8a3b", "#b3282d", "#7b4bb3", "#a8820a", "#0a8a96", "#8c5a3c"];

/** Draws all panels, each where Grafana has it, as one SVG. */
export function drawDashboard({ dashboard, series, from, to, caption }: Picture): string {
  const height =
    TOP + Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW + MARGIN;
  const panels = dashboard.panels.map((panel) => {
    const box = boxOf(panel);
    if (panel.type === "row") return text(box.x + 2, box.y + ROW - 10, panel.title, "row");
    const { unit = "", max, custom } = panel.fieldConfig?.defaults ?? {};
    return drawChart(box, {
      ...{ title: panel.title, unit, max, from, to },
      lines: (series.get(panel.id) ?? []).map(toLine),
      stacked: custom?.stacking !== undefined,
      stepped: custom?.lineInterpolation === "stepAfter",
    });
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>${dashboard.title}</title>`,
    `<style>${STYLE}</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(MARGIN + 2, 24, dashboard.title, "head"),
    text(MARGIN + 2, 42, caption, "caption"),
    ...panels,
    "</svg>",
  ].join("\n")}\n`;
}

const STYLE = [
  "text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:10px;fill:#51606e}",
  ".head{font-size:20px;font-weight:600;fill:#1c2733}.caption{font-size:12px}",
  ".row{font-size:14px;font-weight:600;fill:#1c2733}.title{font-size:12px;font-weight:600;fill:#1c2733}",
  ".card{fill:#fff;stroke:#d5dbe1}.grid{stroke:#e9edf0}.axis{stroke:#aab4be}",
  ".line{fill:none;stroke-width:1.4;stroke-linejoin:round}.end{text-anchor:end}.middle{text-anchor:middle}",
].join("");

function boxOf({ gridPos: { x, y, w, h } }: DashboardPanel): Box {
  return {
    x: x * COLUMN + MARGIN,
    y: TOP + y * ROW + MARGIN,
    width: w * COLUMN - 2 * MARGIN,
    height: h * ROW - 2 * MARGIN,
  };
}

function toLine({ labels, points, legendFormat }: PanelSeries, index: number): Line {
  const legend = legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "").trim();
  return { legend, points, color: COLORS[index % COLORS.length] ?? "#000" };
}
