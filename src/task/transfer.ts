import { OptionError } from "../errors.js";
import { type Check, expected } from "./checks.js";
import type { LaneName } from "./lane-name.js";
import type { TaskSettings } from "./settings.js";

/** So many objects one task may transfer. */
const MAX_OBJECTS = 1_000;

/** What moves with a task to its worker thread, and is no more where the task was enqueued. */
export class Transfer {
  readonly objects: readonly object[];
  /** Whether it has left, with an attempt. Said by the executor. */
  moved = false;

  constructor(objects: readonly object[]) {
    this.objects = objects;
  }
}

/** A list of objects as an option; copied. What cannot be moved fails the task when it starts. */
export const transferCheck: Check<readonly object[]> = (value, path) => {
  if (!Array.isArray(value)) throw expected(path, "an array of objects", value);
  if (value.length > MAX_OBJECTS) throw expected(path, `an array of at most ${MAX_OBJECTS}`, value);
  const objects = Array.from(value, (one: unknown, index) => {
    if (typeof one !== "object" || one === null) throw expected(`${path}.${index}`, "an object", one);
    if (ArrayBuffer.isView(one))
      throw expected(`${path}.${index}`, "what can be moved: of a view its `buffer`", one);
    return one;
  });
  if (new Set(objects).size < objects.length) throw expected(path, "an array without doubles", value);
  return Object.freeze(objects);
};

/**
 * What has moved away cannot be given to a second attempt, and on the event loop there is nowhere to move.
 * @throws {OptionError}
 */
export function refuseTransfer(lane: LaneName, settings: TaskSettings): void {
  if (lane === "inline") {
    throw new OptionError("transfer", "Expected `transfer` only for a handler with `module`");
  }
  if (settings.maxAttempts > 1) {
    const found = `found ${settings.maxAttempts}`;
    throw new OptionError("transfer", `Expected \`maxAttempts\` to be 1 beside \`transfer\`, ${found}`);
  }
}
