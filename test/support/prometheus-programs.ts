import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

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

const CACHE = fileURLToPath(new URL("../../node_modules/.cache/millrace/", import.meta.url));
const DOWNLOAD_TIMEOUT_MS = 120_000;
const execute = promisify(execFile);

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

/** Several processes may do this at once: each works in a folder of its own, and the first one is kept. */
async function download(cache: string): Promise<PrometheusPrograms> {
  const work = join(cache, `.download-${randomUUID()}`);
  try {
    await mkdir(join(work, "unpacked"), { recursive: true });
    const name = await downloadPackage(work);
    await execute("dpkg-deb", ["-x", join(work, name), join(work, "unpacked")]);
    const version = name.match(/^prometheus_([\w.]+)/)?.[1] ?? "unknown";
    const folder = join(cache, `prometheus-${version}`);
    await rename(join(work, "unpacked", "usr", "bin"), folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // else another was first
    });
    const found = programsIn(folder);
    if (found === undefined) throw new Error(`${name} holds no prometheus and promtool`);
    return found;
  } catch (cause) {
    const message =
      "These tests run a real Prometheus (2.40 or later), and there is none: neither on PATH nor in " +
      `${cache}, nor as a package of Debian or Ubuntu. Put the programs prometheus and promtool of ` +
      "https://prometheus.io/download on PATH.";
    throw new Error(`${message} What went wrong: ${String(cause)}`, { cause });
  } finally {
    await rm(work, { recursive: true, force: true }).catch(() => {}); // it could not even be made
  }
}

/** Downloads with the package lists of the system, or where these do not know it, with fresh ones. */
async function downloadPackage(folder: string): Promise<string> {
  try {
    await runApt(folder, [], "download", "prometheus");
  } catch {
    const state = await mkdtemp(join(tmpdir(), "millrace-apt-"));
    try {
      const options = [`Dir::State::Lists=${join(state, "lists")}`, `Dir::Cache=${join(state, "cache")}`];
      await mkdir(join(state, "lists", "partial"), { recursive: true });
      await mkdir(join(state, "cache", "archives", "partial"), { recursive: true });
      await runApt(folder, options, "update");
      await runApt(folder, options, "download", "prometheus");
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  }
  const [name] = (await readdir(folder)).filter((entry) => entry.endsWith(".deb"));
  if (name === undefined) throw new Error("apt-get download left no package");
  return name;
}

/** As the one who runs it: the user of apt could not write into our folder. */
async function runApt(cwd: string, options: readonly string[], ...args: readonly string[]): Promise<void> {
  const settings = ["APT::Sandbox::User=", ...options].flatMap((option) => ["-o", option]);
  await execute("apt-get", ["-q", ...settings, ...args], { cwd, timeout: DOWNLOAD_TIMEOUT_MS });
}
