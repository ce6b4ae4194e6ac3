import { projectPath } from "../tidy/sources.js";

const built = (entry: string) => [projectPath(`dist/${entry}.d.ts`)];

/**
 * Where a compiler finds the types of Millrace as users have them, once it is built: to check all sources with each
 * program takes several times as long.
 */
export const BUILT_TYPES: Readonly<Record<string, readonly string[]>> = {
  millrace: built("index"),
  "millrace/otel": built("adapters/otel/index"),
  "millrace/protobuf": built("adapters/protobuf/index"),
  "millrace/redis": built("adapters/redis/index"),
  "millrace/testing": built("testing/index"),
  "millrace/worker": built("adapters/threads/worker"),
};

/** The compiler shares files out among checkers, each of which finds out anew what types the others know. */
export const ONE_CHECKER: readonly string[] = ["--singleThreaded"];
