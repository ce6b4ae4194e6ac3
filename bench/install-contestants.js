// Runs before the bench is compiled. Everything it says goes to stderr: with --json stdout holds results only.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

if (!existsSync(new URL("node_modules", import.meta.url))) {
  console.error("bench: its contestants are not installed yet; running `npm ci --prefix bench`");
  const { status } = spawnSync("npm", ["ci", "--prefix", folder, "--no-audit", "--no-fund"], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("bench: the installation failed; see above");
    process.exit(1);
  }
}
