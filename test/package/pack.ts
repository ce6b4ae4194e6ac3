import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const projectRoot = fileURLToPath(new URL("../../", import.meta.url));

/** What `npm publish` needs of a checkout; `node_modules` is linked, for the compiler and its types. */
const published = [
  "package.json",
  "tsconfig.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "SECURITY.md",
  "src",
];

/** The packed package, and a folder where it is installed as a user would. */
export interface Packed {
  readonly tarball: string;
  readonly size: number;
  /** Paths of the files in the tarball. */
  readonly files: readonly string[];
  /** Reads a file as it was packed. */
  read(path: string): Promise<string>;
  /** Writes files into the consumer's folder. */
  write(files: Readonly<Record<string, string>>): Promise<void>;
  /** Lets the consumer have a package of the project's, as if it had installed it; a scope is one too. */
  link(name: string): Promise<void>;
  /** Runs a program in the consumer's folder, and kills it when it has not ended after `timeoutMs`. */
  run(program: string, args: readonly string[], timeoutMs?: number): Promise<Ran>;
  remove(): Promise<void>;
}

/** How a program ended and what it said. */
export interface Ran {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const executable = promisify(execFile);

/** Nothing of how this run was started may show in what the programs say. */
const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, NODE_OPTIONS: undefined };

/**
 * Packs a copy of the project, `prepack` and its build included, and installs the tarball. A copy, because the
 * other tests use `dist` while this runs, and because a file left in `dist` by an earlier build must not be packed.
 */
export async function packAndInstall(): Promise<Packed> {
  const scratch = await realpath(await mkdtemp(join(tmpdir(), "millrace-package-")));
  const remove = () => rm(scratch, { recursive: true, force: true });
  try {
    const copy = join(scratch, "project");
    const consumer = join(scratch, "consumer");
    await copyProject(copy);
    const packed = await pack(copy, scratch);
    await installInto(consumer, packed.tarball);
    return {
      ...packed,
      read: (path) => readFile(join(consumer, "node_modules", "millrace", path), "utf8"),
      write: (files) => writeAll(consumer, files),
      link: (name) =>
        symlink(join(projectRoot, "node_modules", name), join(consumer, "node_modules", name), "junction"),
      run: (program, args, timeoutMs = 50_000) => run(program, args, consumer, timeoutMs),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function copyProject(copy: string): Promise<void> {
  await mkdir(copy);
  for (const name of published) await cp(join(projectRoot, name), join(copy, name), { recursive: true });
  await symlink(join(projectRoot, "node_modules"), join(copy, "node_modules"), "junction");
}

async function pack(copy: string, into: string): Promise<Pick<Packed, "tarball" | "size" | "files">> {
  const { stdout } = await npm(["pack", "--json", "--pack-destination", into], copy);
  // What the build prints comes first.
  const parsed: unknown = JSON.parse(stdout.slice(stdout.search(/^[[{]/m)));
  const [report] = Object.values(parsed as Record<string, PackReport>);
  if (!report) throw new Error(`npm pack said nothing of a tarball: ${stdout}`);
  return {
    tarball: join(into, report.filename),
    size: report.size,
    files: report.files.map(({ path }) => path),
  };
}

interface PackReport {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string }[];
}

/** Installs without running scripts, and from npm's cache where it can: a run without a network must pass. */
async function installInto(consumer: string, tarball: string): Promise<void> {
  await mkdir(consumer);
  await writeAll(consumer, { "package.json": `{ "name": "consumer", "private": true }` });
  await npm(["install", tarball, "--prefer-offline", "--ignore-scripts"], consumer);
  await mkdir(join(consumer, "node_modules", "@types"), { recursive: true });
  const types = join("node_modules", "@types", "node");
  await symlink(join(projectRoot, types), join(consumer, types), "junction");
}

async function npm(args: readonly string[], cwd: string): Promise<Ran> {
  const ran = await run("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], cwd, 100_000);
  if (ran.code !== 0)
    throw new Error(`npm ${args.join(" ")} ended with ${ran.code}\n${ran.stdout}${ran.stderr}`);
  return ran;
}

async function writeAll(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
}

async function run(program: string, args: readonly string[], cwd: string, timeoutMs: number): Promise<Ran> {
  try {
    const ended = await executable(program, args, { cwd, env, timeout: timeoutMs, killSignal: "SIGKILL" });
    return { code: 0, ...ended };
  } catch (error) {
    // It ended with another code, or was killed.
    if (error instanceof Error && "stdout" in error && "code" in error) return error as Error & Ran;
    throw error;
  }
}
