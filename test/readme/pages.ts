import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** What the examples of pages take for a Redis; their tests put a real one in its place. */
export const REDIS_URL = "redis://127.0.0.1:6379";

/** A program of a page, with what it prints. */
export interface Example {
  readonly page: string;
  readonly code: string;
  readonly output: string;
  readonly file: string;
}

/** A page that is in the package: the README of the project, and those beside the code that they describe. */
export interface Page {
  readonly name: string;
  readonly text: string;
  /** Where its programs are written: a folder of its own, since pages may name their files alike. */
  readonly folder: string;
  readonly examples: readonly Example[];
  /** What programs have beside them: a block whose first line is a comment with its name. */
  readonly modules: readonly { readonly name: string; readonly code: string }[];
}

/** All pages, with programs to be written below `folder`. */
export function readPages(folder: string): readonly Page[] {
  const beside = readdirSync(join(root, "src"), { recursive: true })
    .map((path) => `src/${path}`)
    .filter((path) => path.endsWith(".md"));
  return ["README.md", ...beside.sort()].map((name, index) => readPage(name, `${folder}/page-${index}`));
}

function readPage(name: string, folder: string): Page {
  const text = readFileSync(join(root, name), "utf8");
  const examples = [...text.matchAll(/```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/g)].map(
    ([, code = "", output = ""], index) => ({
      ...{ page: name, code, output },
      file: `${folder}/example-${index + 1}.ts`,
    }),
  );
  const modules = [...text.matchAll(/```js\n\/\/ ([\w.-]+\.js)\n([\s\S]*?)```/g)].map(
    ([, file = "", code = ""]) => ({ name: file, code }),
  );
  return { name, text, folder, examples, modules };
}
