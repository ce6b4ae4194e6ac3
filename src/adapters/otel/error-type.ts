import { MillraceError } from "../../errors.js";

/** What may stand for an error without saying anything of what happened: the name of a class, or a code. */
const NAME = /^[A-Za-z_$][\w$.]{0,63}$/;

const OTHER = "_OTHER";

/**
 * `error.type` of the OpenTelemetry conventions: the code of an error of Millrace, else the name of its
 * class, or `_OTHER` where that is no name. Never its message or its `name`, which may hold anything.
 */
export function toErrorType(error: unknown): string {
  try {
    if (!(error instanceof Error)) return typeof error;
    const type: unknown = error instanceof MillraceError ? error.code : error.constructor.name;
    return typeof type === "string" && NAME.test(type) ? type : OTHER;
  } catch {
    return OTHER; // its getters throw
  }
}
