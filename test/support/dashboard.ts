import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const folder = new URL("../../src/adapters/otel/dashboard/", import.meta.url);

/** One query of a panel. */
export interface DashboardTarget {
  readonly refId: string;
  readonly expr: string;
  /** With the names of labels in double braces. */
  readonly legendFormat: string;
}

/** Where a panel is, in 24 columns. */
export interface GridPosition {
  readonly h: number;
  readonly w: number;
  readonly x: number;
  readonly y: number;
}

/** A row, which is the heading of the panels below it, or a panel. */
export interface DashboardPanel {
  readonly id: number;
  readonly type: "row" | "timeseries";
  readonly title: string;
  readonly description?: string;
  readonly gridPos: GridPosition;
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit: string;
      readonly min: number;
      readonly max?: number;
      readonly custom: {
        readonly lineInterpolation?: "stepAfter";
        readonly stacking?: { readonly mode: "normal" };
      };
    };
  };
  readonly options?: { readonly legend: { readonly showLegend: boolean } };
  readonly targets?: readonly DashboardTarget[];
}

export interface DashboardVariable {
  readonly name: string;
  readonly type: "datasource" | "query";
  readonly query: string | { readonly query: string };
}

export interface Dashboard {
  readonly title: string;
  readonly templating: { readonly list: readonly DashboardVariable[] };
  readonly panels: readonly DashboardPanel[];
}

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What stands for the variables of the dashboard; those that are not given stand for all there is. */
export interface VariableValues {
  /** What Grafana makes of the distance of scrapes and the width of the panel. */
  readonly rateInterval: string;
  readonly service?: string;
  readonly manager?: string;
  readonly queue?: string;
  readonly handler?: string;
}

export const ALERTS_FILE = fileURLToPath(new URL("alerts.yml", folder));

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(new URL("millrace.json", folder), "utf8"));
}

/** Those that draw something. */
export function panelsOf({ panels }: Dashboard): readonly DashboardPanel[] {
  return panels.filter(({ type }) => type !== "row");
}

export function readAlerts(): readonly AlertRule[] {
  const { groups } = parse(readFileSync(ALERTS_FILE, "utf8")) as {
    readonly groups: readonly { readonly rules: readonly AlertRule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

/** Puts values in the place of variables, as Grafana does. */
export function fillIn(expr: string, { rateInterval, ...given }: VariableValues): string {
  const values: Readonly<Record<string, string>> = { __rate_interval: rateInterval, ...given };
  return expr.replaceAll(/\$(\w+)/g, (_, name: string) => values[name] ?? ".*");
}
