// Runs before the bench is compiled. Everything it says goes to stderr: with --json stdout holds results only.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));

// One by one, since some may have been installed before others were added.
const missing = Object.keys(dependencies).filter(
  (name) => !existsSync(new URL(`node_modules/${name}/package.json`, import.meta.url)),
);
if (missing.length > 0) {
  console.error(`bench: ${missing.join(", ")} not installed yet; running \`npm ci --prefix bench\``);
  const { status } = spawnSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("bench: the installation failed; see above");
    process.exit(1);
  }
}
