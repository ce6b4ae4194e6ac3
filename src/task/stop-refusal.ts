import { NotAcceptingError } from "../errors.js";
import { findCause } from "./causes.js";

/**
 * Whether it is, or comes of, the refusal of a call by a manager that stops: by any manager. Where it matters
 * which, and the error has not been made anew on its way from a thread, ask `Lifecycle.hasRefused`.
 */
export function isStopRefusal(thrown: unknown): boolean {
  return findCause(thrown, (link) => link instanceof NotAcceptingError) !== undefined;
}

/**
 * A promise that settles as the call does. A handler that does not await it cannot know of a stop, and a
 * rejection that nobody handles would end the process in the middle of it: so that of a refusal by a stop
 * counts as handled. This is so for the promise itself: who derives others from it (`then`, `finally`, an
 * async function that returns it) has to see to those.
 * @param isRefusal whether the call was rejected with the refusal of a stop; must not throw
 */
export function quietInStop<T>(call: Promise<T>, isRefusal: (error: unknown) => boolean): Promise<T> {
  const told = new Promise<T>((resolve, reject) => {
    call.then(resolve, (error: unknown) => {
      reject(error);
      if (isRefusal(error)) told.catch(() => {});
    });
  });
  return told;
}
