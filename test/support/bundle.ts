import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const folder = fileURLToPath(new URL("../../.tmp/programs/", import.meta.url));
const bundles = new Map<string, string>();

/**
 * A program that is written in TypeScript, with the sources that it imports in one file that any Node runs: a
 * process that compiles them for itself takes four times as long to come up.
 */
export function bundled(path: string): string {
  const known = bundles.get(path);
  if (known !== undefined) return known;
  const { outputFiles } = buildSync({
    ...{ entryPoints: [path], bundle: true, write: false, packages: "external" },
    ...{ platform: "node", target: "node20", format: "esm" },
  });
  const [{ contents } = { contents: new Uint8Array() }] = outputFiles;
  const digest = createHash("sha256").update(contents).digest("hex").slice(0, 16);
  const file = join(folder, `${basename(path, ".ts")}-${digest}.mjs`);
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    const unfinished = `${file}.${process.pid}`;
    writeFileSync(unfinished, contents);
    renameSync(unfinished, file); // others may want to run it at this moment
  }
  bundles.set(path, file);
  return file;
}
