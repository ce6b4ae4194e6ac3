import { accessSync, constants } from "node:fs";
import { readdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CACHE, unpackPackages } from "./debian-packages.js";

/** The programs of Prometheus. */
export interface PrometheusPrograms {
  readonly prometheus: string;
  readonly promtool: string;
}

interface Places {
  /** Folders in which programs are looked for, as the variable PATH holds them. */
  readonly path?: string;
  /** Where what was downloaded is kept from one run to the next. */
  readonly cache?: string;
}

/**
 * Finds Prometheus on PATH or in the cache of the project, or else puts Debian's package there, which needs
 * no rights and leaves the system as it is.
 * @throws {Error} that says what to do, where none of these is possible
 */
export async function findPrometheus(places: Places = {}): Promise<PrometheusPrograms> {
  const { path = process.env["PATH"] ?? "", cache = CACHE } = places;
  return (await findInstalled(path, cache)) ?? (await download(cache));
}

async function findInstalled(path: string, cache: string): Promise<PrometheusPrograms | undefined> {
  const entries = await readdir(cache).catch(() => []);
  const cached = entries.filter((name) => name.startsWith("prometheus-")).map((name) => join(cache, name));
  const folders = [...path.split(delimiter).filter((folder) => folder !== ""), ...cached];
  return folders.map(programsIn).find((found) => found !== undefined);
}

function programsIn(folder: string): PrometheusPrograms | undefined {
  const programs = { prometheus: join(folder, "prometheus"), promtool: join(folder, "promtool") };
  try {
    for (const program of Object.values(programs)) accessSync(program, constants.X_OK);
    return programs;
  } catch {
    return undefined;
  }
}

async function download(cache: string): Promise<PrometheusPrograms> {
  try {
    const folder = await unpackPackages({
      cache,
      choose: () => ["prometheus"],
      folder: (files) => `prometheus-${files[0]?.match(/^prometheus_([\w.]+)/)?.[1] ?? "unknown"}`,
      keep: join("usr", "bin"),
    });
    const found = programsIn(folder);
    if (found === undefined) throw new Error(`${folder} holds no prometheus and promtool`);
    return found;
  } catch (cause) {
    const message =
      "These tests run a real Prometheus (2.40 or later), and there is none: neither on PATH nor in " +
      `${cache}, nor as a package of Debian or Ubuntu. Put the programs prometheus and promtool of ` +
      "https://prometheus.io/download on PATH.";
    throw new Error(`${message} What went wrong: ${String(cause)}`, { cause });
  }
}
