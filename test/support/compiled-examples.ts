import { createHash } from "node:crypto";
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { programFiles, readProjectFile } from "../tidy/sources.js";
import { moveIntoPlace } from "./bundle.js";
import { bundledBuild, linkBuild } from "./bundled-build.js";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A name of a file in a text, such as `"./handlers.ts"`. */
const NAMED = /(?<=["'])([\w./-]+)\.ts(?=["'])/g;

let folder: string | undefined;

/**
 * The path of an example as plain JavaScript, beside all that it imports or names: whatever starts it with
 * `--import tsx` waits for tsx longer than for the example. That this way is open too has tests of its own.
 */
export function compiledExample(path: string): string {
  folder ??= compileAll();
  return join(folder, path.replace(/\.ts$/, ".js"));
}

/** Into a folder whose name stands for what is in it: whoever finds it there need not compile again. */
function compileAll(): string {
  const texts = programFiles("examples").map((path) => [path, readProjectFile(path)] as const);
  const build = bundledBuild();
  const digest = createHash("sha256")
    .update(JSON.stringify([build, texts]))
    .digest("hex")
    .slice(0, 16);
  const compiled = join(root, ".tmp", `compiled-${digest}`);
  if (existsSync(compiled)) return compiled;
  const unfinished = `${compiled}.${process.pid}`;
  for (const [path, text] of texts) {
    const file = join(unfinished, path.replace(/\.ts$/, ".js"));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, path.endsWith(".ts") ? toJs(text) : text);
  }
  linkBuild(build, unfinished);
  symlinkSync(join(root, "node_modules"), join(unfinished, "node_modules")); // what the demo looks through
  moveIntoPlace(unfinished, compiled);
  return compiled;
}

function toJs(text: string): string {
  return transformSync(text, { loader: "ts", target: "node20" }).code.replaceAll(NAMED, "$1.js");
}
