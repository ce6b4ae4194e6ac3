/**
 * Calls what an observer gave, and hears of what it throws or rejects with. It is not waited for: one that
 * never settles keeps nothing.
 */
export function callObserver(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    const given = call();
    if (isObject(given)) void follow(given, failed);
  } catch (error) {
    failed(error);
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** `await` treats whatever has a `then` with the care that it needs. */
async function follow(given: unknown, failed: (error: unknown) => void): Promise<void> {
  try {
    await given;
  } catch (error) {
    failed(error);
  }
}
