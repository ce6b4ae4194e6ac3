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

/** The name that GitHub gives to a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

/** The names of the headings of a page, each once. */
function anchorsOf(page: string): Set<string> {
  const markdown = readFileSync(page, "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
  const anchors = new Set<string>();
  for (const [, heading = ""] of markdown.matchAll(/^#{1,6} (.+)$/gm)) {
    const name = anchorOf(heading);
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

describe("the contents of the README", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const [, contents = "", after = ""] = readme.match(/^## Contents\n([\s\S]*?)^(## [\s\S]*)/m) ?? [];

  test("name each section after them, and each part of one, in their order", () => {
    const headings = [...after.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/^#{2,3} (.+)$/gm)];
    expect(headings.length).toBeGreaterThan(30);
    const named = linksOf(contents).map(({ text }) => text.toLowerCase());
    expect(named).toEqual(headings.map(([, heading = ""]) => heading.toLowerCase()));
  });

  test("lead to what they name", () => {
    const listed = linksOf(contents);
    const strays = listed.filter(({ text, target }) => target !== `#${anchorOf(text)}`);
    expect(strays).toEqual([]);
    expect(new Set(listed.map(({ target }) => target)).size).toBe(listed.length);
  });
});
