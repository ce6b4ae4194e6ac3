import { NotAcceptingError } from "../errors.js";

/** Whether a manager refused a call because it stops. Never throws, whatever was thrown. */
export function isStopRefusal(thrown: unknown): boolean {
  try {
    return thrown instanceof NotAcceptingError;
  } catch {
    return false; // a proxy that throws
  }
}

/**
 * The same promise for who awaits it. A handler that does not cannot know of a stop, and a rejection that
 * nobody handles would end the process in the middle of it: that of a refusal by a stop counts as handled.
 */
export function quietInStop<T>(call: Promise<T>): Promise<T> {
  const told = new Promise<T>((resolve, reject) => {
    call.then(resolve, (error: unknown) => {
      reject(error);
      if (isStopRefusal(error)) told.catch(() => {});
    });
  });
  return told;
}
