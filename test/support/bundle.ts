import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));
const programs = join(root, ".tmp", "programs");
const bundles = new Map<string, string>();

/** What a program that uses Redis starts by its path, from where that is in the bundle. */
const RENEWAL_ENTRY = {
  in: join(root, "dist/adapters/redis/renewal/inside/renewal-entry.js"),
  out: "inside/renewal-entry",
};

/**
 * A program, with the sources that it imports in one file that any Node runs: a process that compiles them for
 * itself takes four times as long to come up, and one that imports what was built twice as long.
 */
export function bundled(path: string): string {
  const known = bundles.get(path);
  if (known !== undefined) return known;
  const name = basename(path, extname(path));
  const file = join(bundle(name, [{ in: path, out: name }]), `${name}.js`);
  bundles.set(path, file);
  return file;
}

/** The same of a program that uses Redis as it was built, whose leases are renewed in a thread of their own. */
export function bundledWithRenewal(path: string): string {
  const name = basename(path, extname(path));
  return join(bundle(name, [{ in: path, out: name }, RENEWAL_ENTRY]), `${name}.js`);
}

/** Into a folder whose name stands for what is in it, so that others may be running it meanwhile. */
function bundle(name: string, entryPoints: { in: string; out: string }[]): string {
  const { outputFiles } = buildSync({
    ...{ entryPoints, bundle: true, write: false, packages: "external" },
    ...{ platform: "node", target: "node20", format: "esm", outdir: programs },
  });
  const digest = createHash("sha256");
  for (const { contents } of outputFiles) digest.update(contents);
  const folder = join(programs, `${name}-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  for (const { path, contents } of outputFiles) {
    const file = path.replace(programs, unfinished);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, contents);
  }
  moveIntoPlace(unfinished, folder);
  return folder;
}

/** A folder that is complete takes its name; where somebody else was faster, theirs has it. */
export function moveIntoPlace(unfinished: string, folder: string): void {
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}
