import { MillraceError } from "../errors.js";
import { OTHER } from "./group-tally.js";

/** What may stand for an error without saying anything of what happened: the name of a class, or a code. */
const NAME = /^[A-Za-z_$][\w$.]{0,63}$/;

const CODE = /^MILLRACE_[A-Z_]{1,64}$/;

/**
 * What metrics and logs may say of an error, and `error.type` of the OpenTelemetry conventions: the code of
 * an error of Millrace, else the name of its class, or `_OTHER` where that is no name. Never its message or
 * its `name`, which may hold anything.
 */
export function toErrorType(error: unknown): string {
  try {
    if (!(error instanceof Error)) return typeof error;
    if (error instanceof MillraceError) return CODE.test(error.code) ? error.code : OTHER;
    const type: unknown = Object.getPrototypeOf(error)?.constructor?.name; // an own `constructor` may be data
    return typeof type === "string" && NAME.test(type) ? type : OTHER;
  } catch {
    return OTHER; // its getters throw
  }
}
