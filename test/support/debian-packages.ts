import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Where what was downloaded is kept from one run to the next. */
export const CACHE = fileURLToPath(new URL("../../node_modules/.cache/millrace/", import.meta.url));

const DOWNLOAD_TIMEOUT_MS = 120_000;
const execute = promisify(execFile);

type Apt = (...args: readonly string[]) => Promise<string>;

/** Packages of Debian to be unpacked: without any rights, and leaving the system as it is. */
export interface PackageRequest {
  readonly cache: string;
  /** Names the packages, once there are lists in which they can be found. */
  readonly choose: (apt: Apt) => Promise<readonly string[]> | readonly string[];
  /** The folder of the cache that they are kept in, by the names of the files downloaded. */
  readonly folder: (files: readonly string[]) => string;
  /** What is to be kept of all that is in the packages, as a path in them; `.` for everything. */
  readonly keep: string;
}

/**
 * Downloads packages, and unpacks them into the cache. Several processes may do this at once: each works in a
 * folder of its own, and the first one is kept.
 * @returns where they are now
 */
export async function unpackPackages({ cache, choose, folder, keep }: PackageRequest): Promise<string> {
  const work = join(cache, `.download-${randomUUID()}`);
  try {
    const unpacked = join(work, "unpacked");
    await mkdir(unpacked, { recursive: true });
    const files = await download(work, choose);
    for (const file of files) await execute("dpkg-deb", ["-x", join(work, file), unpacked]);
    const target = join(cache, folder(files));
    await rename(join(unpacked, keep), target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // else another was first
    });
    return target;
  } finally {
    await rm(work, { recursive: true, force: true }).catch(() => {}); // it could not even be made
  }
}

/** Downloads with the package lists of the system, or where these do not know them, with fresh ones. */
async function download(folder: string, choose: PackageRequest["choose"]): Promise<readonly string[]> {
  try {
    const apt: Apt = (...args) => runApt(folder, [], ...args);
    await apt("download", ...(await choose(apt)));
  } catch {
    const state = await mkdtemp(join(tmpdir(), "millrace-apt-"));
    try {
      const options = [`Dir::State::Lists=${join(state, "lists")}`, `Dir::Cache=${join(state, "cache")}`];
      await mkdir(join(state, "lists", "partial"), { recursive: true });
      await mkdir(join(state, "cache", "archives", "partial"), { recursive: true });
      const apt: Apt = (...args) => runApt(folder, options, ...args);
      await apt("update");
      await apt("download", ...(await choose(apt)));
    } finally {
      await rm(state, { recursive: true, force: true });
    }
  }
  const files = (await readdir(folder)).filter((entry) => entry.endsWith(".deb"));
  if (files.length === 0) throw new Error("apt-get download left no package");
  return files;
}

/** As the one who runs it: the user of apt could not write into our folder. */
async function runApt(cwd: string, options: readonly string[], ...args: readonly string[]): Promise<string> {
  const settings = ["APT::Sandbox::User=", ...options].flatMap((option) => ["-o", option]);
  const ran = await execute("apt-get", ["-q", ...settings, ...args], { cwd, timeout: DOWNLOAD_TIMEOUT_MS });
  return ran.stdout;
}
