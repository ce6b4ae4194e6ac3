import { ResultError } from "../../../errors.js";
import { checkClone } from "../../../task/clone-check.js";
import type { HandlerSource } from "../messages.js";
import { toText } from "../to-text.js";

/** Why a result cannot leave its thread; undefined when it can, as far as a walk over it can tell. */
export function refuseResult(source: HandlerSource, value: unknown): ResultError | undefined {
  const verdict = checkClone(value, source.maxResultBytes, "result", [], "refused");
  if (verdict.problem === undefined) return undefined;
  const { path, problem, tooLarge } = verdict;
  return resultError(source.name, path, tooLarge ? `${problem} (maxResultBytes)` : problem);
}

/** The same, when the walk has found nothing and it cannot be sent all the same: a proxy, for one. */
export function refuseUnsent(source: HandlerSource, error: unknown): ResultError {
  return resultError(source.name, "result", `cannot be sent: ${toText(error)}`);
}

function resultError(handler: string, path: string, message: string): ResultError {
  const told = `What handler "${handler}" returned was refused: ${path}: ${message}`;
  return new ResultError(told, handler, { issues: [{ message, path }], omittedIssues: 0 });
}
