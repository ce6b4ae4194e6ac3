import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const PACKAGES = ["bee-queue", "bullmq", "fastq", "p-queue", "piscina", "tinypool", "tinyqueue"];

/** What a number must be read with. */
export interface Environment {
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly packages: string;
  /** Runnable processes before the bench began; much above 0, someone else is using the machine. */
  readonly load: number;
}

export function describeEnvironment(): Environment {
  return {
    machine: [
      cpus()[0]?.model.trim() ?? "unknown processor",
      `${availableParallelism()} cores`,
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
      `${process.platform} ${process.arch}`,
    ].join(", "),
    node: process.version,
    commit: commit(),
    packages: PACKAGES.map((name) => `${name} ${version(name)}`).join(", "),
    load: loadavg()[0] ?? 0,
  };
}

function commit(): string {
  const git = (...words: string[]) =>
    execFileSync("git", words, {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const changed = git("status", "--porcelain") === "" ? "" : " with uncommitted changes";
    return git("rev-parse", "--short", "HEAD") + changed;
  } catch {
    return "unknown";
  }
}

function version(name: string): string {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), "utf8"),
  );
  const found =
    typeof manifest === "object" && manifest !== null && "version" in manifest && manifest.version;
  return typeof found === "string" ? found : "unknown";
}
