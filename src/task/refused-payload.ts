import { PayloadError } from "../errors.js";

/** The refusal of a payload for one thing that is wrong with it, or with what goes along with it. */
export function refusedPayload(
  handler: string,
  path: string,
  message: string,
  options?: ErrorOptions,
): PayloadError {
  const issues = Object.freeze([Object.freeze({ path, message })]);
  const told = `The payload for handler "${handler}" was refused: ${path}: ${message}`;
  return new PayloadError(told, handler, { issues, omittedIssues: 0 }, options);
}
