import { defineHandlers, json, skipRetry } from "millrace";
import { digest } from "./digest.ts";

interface FilePayload {
  readonly path: string;
  /** Chosen to show a retry. */
  readonly failOnce: boolean;
}

/** What this program's manager can be given by name: one kind of task. */
export const handlers = defineHandlers({
  digestFile: {
    payload: json<FilePayload>(),
    maxAttempts: 2,
    run: async ({ path, failOnce }, { attempt, signal }) => {
      if (failOnce && attempt === 1) throw new Error("Made to fail once, to show a retry");
      try {
        return await digest(path, signal);
      } catch (error) {
        throw isLasting(error) ? skipRetry(error) : error;
      }
    },
  },
});

export type DemoHandlers = typeof handlers;

/** A file that is gone or forbidden now will be so in the next attempt. */
function isLasting(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "EACCES" || code === "EPERM" || code === "ENOTDIR";
}
