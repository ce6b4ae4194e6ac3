import { defineHandlers, json, threadModule } from "millrace";
import digestFile, { type Digest } from "./digest-file.mjs";

interface FilePayload {
  readonly path: string;
  /** Chosen to show a retry. */
  readonly failOnce: boolean;
}

const payload = json<FilePayload>();
const maxAttempts = 2;

/** What this program's manager can be given by name: one kind of task, which worker threads do. */
export const threadHandlers = defineHandlers({
  digestFile: {
    payload,
    maxAttempts,
    module: threadModule<typeof import("./digest-file.mjs")>(new URL("digest-file.mjs", import.meta.url)),
  },
});

export type DemoHandlers = typeof threadHandlers;

/** The same function, called on the event loop. */
export const inlineHandlers: DemoHandlers = defineHandlers({
  digestFile: { payload, maxAttempts, run: digestFile },
});

/** The same without the work, for a process that only produces: it is done elsewhere. */
export const contract = defineHandlers({
  digestFile: { payload, result: json<Digest>() },
});
