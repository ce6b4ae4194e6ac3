import { existsSync } from "node:fs";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CACHE, unpackPackages } from "./debian-packages.js";

const LIBRARY = "faketime/libfaketimeMT.so.1";

/**
 * The wall clock of processes of a test, which can be set while they run: whatever program is started with its
 * environment goes by it. What measures durations is left as it is, as when the clock of a machine is set.
 */
export class FalseClock implements AsyncDisposable {
  /** For the processes that are to go by it. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #folder: string;

  private constructor(library: string, folder: string) {
    this.#folder = folder;
    this.environment = {
      // The allocator of Redis asks for the time when it begins, and libfaketime for memory: libc's needs none.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: join(folder, "offset"),
      FAKETIME_NO_CACHE: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DISABLE_SHM: "1", // it would be left behind by each process that is killed
    };
  }

  static async create(): Promise<FalseClock> {
    const library = await findLibrary();
    const clock = new FalseClock(library, await mkdtemp(join(tmpdir(), "millrace-clock-")));
    await clock.set(0);
    return clock;
  }

  /** So many milliseconds ahead of the clock of this machine, or behind it. */
  async set(aheadMs: number): Promise<void> {
    const [file, next] = [join(this.#folder, "offset"), join(this.#folder, "next")];
    await writeFile(next, `${aheadMs < 0 ? "" : "+"}${aheadMs / 1_000}\n`);
    await rename(next, file); // nobody reads half of it
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** That of the system, or of the cache of the project; else Debian's package is put there. */
async function findLibrary(): Promise<string> {
  const cached = (await readdir(CACHE).catch(() => [])).filter((name) => name.startsWith("faketime-"));
  for (const folder of ["/usr/lib", ...cached.map((name) => join(CACHE, name))]) {
    const found = await libraryIn(folder);
    if (found !== undefined) return found;
  }
  try {
    const folder = await unpackPackages({
      cache: CACHE,
      choose: () => ["libfaketime"],
      folder: (files) => `faketime-${files.join().match(/libfaketime_([\w.%]+)/)?.[1] ?? "unknown"}`,
      keep: "usr/lib",
    });
    const found = await libraryIn(folder);
    if (found === undefined) throw new Error(`${folder} holds no ${LIBRARY}`);
    return found;
  } catch (cause) {
    const message =
      "These tests set clocks with libfaketime, and there is none. Install the package faketime.";
    throw new Error(`${message} What went wrong: ${String(cause)}`, { cause });
  }
}

/** It is in a folder by machine. */
async function libraryIn(folder: string): Promise<string | undefined> {
  const machines = await readdir(folder).catch(() => []);
  return machines.map((machine) => join(folder, machine, LIBRARY)).find((path) => existsSync(path));
}
