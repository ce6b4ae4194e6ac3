import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { programFiles, projectPath, readProjectFile } from "../tidy/sources.js";
import { moveIntoPlace } from "./bundle.js";

/** As deep below the package as the files that look for its `package.json`, and that start what is in `inside`. */
const PARTS = "adapters/parts";

/** What Millrace starts by its path, from beside the code that does so: by where that is in the bundle. */
const STARTED: Readonly<Record<string, string>> = {
  [`${PARTS}/inside/thread-entry`]: "dist/adapters/threads/inside/thread-entry.js",
  "adapters/redis/inside/renewal-entry": "dist/adapters/redis/renewal/inside/renewal-entry.js",
};

/**
 * A folder with Millrace as it was built, but in a few files: to load each of the hundreds that there are takes a
 * program longer than all else that it does. That these can be loaded has tests of its own. The folder's name stands
 * for what is in it: whoever finds it there need not bundle again.
 */
export function bundledBuild(): string {
  const manifest = readProjectFile("package.json");
  const digest = createHash("sha256").update(manifest);
  for (const path of programFiles("dist").filter((each) => each.endsWith(".js")))
    digest.update(path).update(readProjectFile(path));
  const folder = projectPath(`.tmp/build-${digest.digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, "package.json"), manifest);
  const entryPoints = { ...entriesOf(manifest), ...STARTED };
  buildSync({
    ...{ entryPoints, bundle: true, splitting: true, packages: "external" },
    ...{
      absWorkingDir: projectPath(""),
      outdir: join(unfinished, "dist"),
      chunkNames: `${PARTS}/[name]-[hash]`,
    },
    ...{ platform: "node", target: "node20", format: "esm" },
  });
  moveIntoPlace(unfinished, folder);
  return folder;
}

/** Lets programs below a folder import a Millrace that is bundled, by the names that users import. */
export function linkBuild(bundled: string, folder: string): void {
  cpSync(join(bundled, "package.json"), join(folder, "package.json"));
  symlinkSync(join(bundled, "dist"), join(folder, "dist"), "junction");
}

/** All that users can import: `{ "adapters/otel/index": "dist/adapters/otel/index.js" }`. */
function entriesOf(manifest: string): Readonly<Record<string, string>> {
  const { exports } = JSON.parse(manifest) as { readonly exports: Readonly<Record<string, unknown>> };
  const paths = Object.values(exports).flatMap((target) => {
    const { default: path } = Object(target) as { readonly default?: string };
    return path?.endsWith(".js") ? [path.replace(/^\.\//, "")] : [];
  });
  return Object.fromEntries(paths.map((path) => [path.replace(/^dist\/|\.js$/g, ""), path]));
}
