import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { readdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { CACHE, unpackPackages } from "./debian-packages.js";

/** How a `redis-server` is started. */
export interface RedisProgram {
  readonly path: string;
  /** Where it finds libraries that the system does not have. */
  readonly libraries: string | undefined;
}

interface Places {
  /** Folders in which programs are looked for, as the variable PATH holds them. */
  readonly path?: string;
  /** Where what was downloaded is kept from one run to the next. */
  readonly cache?: string;
}

/**
 * Finds `redis-server` on PATH or in the cache of the project, or else puts Debian's packages there, which
 * needs no rights and leaves the system as it is: it starts no service either.
 * @throws {Error} that says what to do, where none of these is possible
 */
export async function findRedisServer(places: Places = {}): Promise<RedisProgram> {
  const { path = process.env["PATH"] ?? "", cache = CACHE } = places;
  return (await findRedisInstalled({ path, cache })) ?? (await download(cache));
}

/** Without a download: undefined where there is none yet. */
export async function findRedisInstalled(places: Places = {}): Promise<RedisProgram | undefined> {
  const { path = process.env["PATH"] ?? "", cache = CACHE } = places;
  for (const folder of path.split(delimiter)) {
    const program = join(folder, "redis-server");
    if (folder !== "" && isExecutable(program)) return { path: program, libraries: undefined };
  }
  const entries = await readdir(cache).catch(() => []);
  const cached = entries.filter((name) => name.startsWith("redis-")).map((name) => join(cache, name));
  return cached.map(programIn).find((found) => found !== undefined);
}

/** What was unpacked; libraries are in folders by machine. */
function programIn(folder: string): RedisProgram | undefined {
  const path = join(folder, "bin", "redis-server");
  if (!isExecutable(path)) return undefined;
  const libraries = join(folder, "lib");
  // It has none where the system has all that the program needs.
  const folders = existsSync(libraries) ? readdirSync(libraries).map((name) => join(libraries, name)) : [];
  return { path, libraries: folders.join(delimiter) };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function download(cache: string): Promise<RedisProgram> {
  try {
    const folder = await unpackPackages({
      cache,
      choose: async (apt) => {
        const plan = await apt("--simulate", "--no-install-recommends", "install", "redis-tools");
        const missing = [...plan.matchAll(/^Inst (\S+)/gm)].map(([, name = ""]) => name);
        return missing.length > 0 ? missing : ["redis-tools"];
      },
      folder: (files) => `redis-${files.join().match(/redis-tools_([\w.%]+)/)?.[1] ?? "unknown"}`,
      keep: "usr",
    });
    // It goes by what it is called, and the link that calls it so is in a package with a service.
    await symlink("redis-check-rdb", join(folder, "bin", "redis-server")).catch(() => {}); // another was first
    const found = programIn(folder);
    if (found === undefined) throw new Error(`${folder} holds no redis-server`);
    return found;
  } catch (cause) {
    const message =
      "These tests run a real Redis (7.0 or later), and there is none: neither on PATH nor in " +
      `${cache}, nor as a package of Debian or Ubuntu. Put redis-server on PATH.`;
    throw new Error(`${message} What went wrong: ${String(cause)}`, { cause });
  }
}
