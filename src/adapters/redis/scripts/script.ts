import { createHash } from "node:crypto";

/** A script as it is sent: by its hash, and whole where the server does not know it. */
export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}

/**
 * Puts a script together. One that `drains` runs even when Redis has no memory left: a store that is full has
 * to be worked off. Every other one is refused then, before its first write.
 */
export function createScript(name: string, drains: boolean, ...parts: readonly string[]): Script {
  const shebang = drains ? "#!lua flags=allow-oom" : "#!lua";
  const text = [shebang, ...parts.map((part) => part.trim())].join("\n");
  return { name, text, sha: createHash("sha1").update(text).digest("hex") };
}
