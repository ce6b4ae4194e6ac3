import { MillraceError } from "../errors.js";

/** Reads one of the many that a call was given: an error of Millrace, thrown or promised, tells which. */
export function inEntry<R>(index: number, read: () => R): R {
  const failed = (error: unknown): never => {
    if (error instanceof MillraceError) error.entry = index;
    throw error;
  };
  try {
    const answer = read();
    return answer instanceof Promise ? (answer.catch(failed) as R) : answer;
  } catch (error) {
    return failed(error);
  }
}
