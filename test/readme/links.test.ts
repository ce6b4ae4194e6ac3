import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** All that is written for people, as a clone has it. */
const pages = ["", "bench", "src", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: folder === "src" || folder === "examples" })
    .map((name) => join(root, folder, String(name)))
    .filter((path) => path.endsWith(".md") && !path.includes("node_modules")),
);

interface Link {
  readonly text: string;
  readonly target: string;
}

/** Without code, in which brackets mean something else. */
function prose(page: string): string {
  return readFileSync(page, "utf8")
    .replaceAll(/^```[\s\S]*?^```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, "code");
}

function linksOf(markdown: string): Link[] {
  return [...markdown.matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)].map(([, text = "", target = ""]) => ({
    text,
    target,
  }));
}

/** The names that GitHub gives to the headings of a page. */
function anchorsOf(page: string): Set<string> {
  const markdown = readFileSync(page, "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
  const anchors = new Set<string>();
  for (const [, heading = ""] of markdown.matchAll(/^#{1,6} (.+)$/gm)) {
    const name = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = name;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${name}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Whether it leads nowhere; addresses are not asked. */
function isDead(page: string, target: string): boolean {
  if (/^(https?|mailto):/.test(target)) return false;
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : join(dirname(page), decodeURIComponent(path));
  if (!existsSync(file)) return true;
  return anchor !== undefined && !(statSync(file).isFile() && anchorsOf(file).has(anchor));
}

describe("links", () => {
  test.each(pages.map((page) => [relative(root, page), page]))("of %s lead somewhere", (_, page = "") => {
    const targets = linksOf(prose(page)).map(({ target }) => target);
    expect(targets.filter((target) => isDead(page, target))).toEqual([]);
  });

  test("are looked at, and a dead one is found", () => {
    const readme = join(root, "README.md");
    expect(linksOf(prose(readme)).length).toBeGreaterThan(50);
    for (const target of ["#nothing", "nothing.md", "CHANGELOG.md#nothing", "src#nothing"])
      expect(isDead(readme, target), target).toBe(true);
    for (const target of ["#errors", "src", "CHANGELOG.md", "https://example.org/"])
      expect(isDead(readme, target), target).toBe(false);
  });
});

test("the contents of the README name each of its sections once", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, contents = ""] = readme.match(/^## Contents\n([\s\S]*?)^## /m) ?? [];
  const named = linksOf(contents).flatMap(({ target }) => (target.startsWith("#") ? [target.slice(1)] : []));
  const sections = readme
    .replaceAll(/^```[\s\S]*?^```$/gm, "")
    .split("\n")
    .filter((line) => line.startsWith("## ") && line !== "## Contents");
  expect(named).toHaveLength(sections.length);
  expect(new Set(named).size).toBe(named.length);
});
