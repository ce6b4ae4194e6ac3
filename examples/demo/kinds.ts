import { extname } from "node:path";

/** Kinds of files, and what the manager is told of each: they are its queues. */
export const QUEUES = {
  code: { share: 6 },
  text: { share: 3 },
  other: { share: 1 },
} as const;

export type Kind = keyof typeof QUEUES;

export const KINDS = Object.keys(QUEUES) as Kind[];

const KIND_OF_EXTENSION = new Map<string, Kind>([
  ...each("code", "c cc cjs cpp cs css cts go h hpp html java js jsx kt less lua mjs mts php pl proto"),
  ...each("code", "py rb rs scss sh sql svelte swift ts tsx vue zig"),
  ...each("text", "conf csv env ini json jsonc json5 lock log map markdown md mdx rst svg tex toml"),
  ...each("text", "tsv txt xml yaml yml"),
]);

/** The kind of a file, told by its name. A name without an extension, such as LICENSE, is taken for text. */
export function kindOf(path: string): Kind {
  const extension = extname(path).slice(1).toLowerCase();
  if (extension === "") return "text";
  return KIND_OF_EXTENSION.get(extension) ?? "other";
}

function each(kind: Kind, extensions: string): [extension: string, kind: Kind][] {
  return extensions.split(" ").map((extension) => [extension, kind]);
}
