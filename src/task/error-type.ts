import { MillraceError } from "../errors.js";

/** What may stand for an error without saying anything of what happened: the name of a class, or a code. */
const NAME = /^[A-Za-z_$][\w$.]{0,63}$/;

/**
 * What metrics and logs may say of an error, and `error.type` of the OpenTelemetry conventions: the code of
 * an error of Millrace, else the name of its class, or `_OTHER` where that is no name. Never its message,
 * which may hold anything.
 */
export function toErrorType(error: unknown): string {
  try {
    if (error instanceof MillraceError) return error.code;
    if (!(error instanceof Error)) return typeof error;
    return NAME.test(error.name) ? error.name : "_OTHER";
  } catch {
    return "_OTHER"; // its getters throw
  }
}
