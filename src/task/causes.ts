/** How deep a chain of causes is searched: chains can be endless. */
const MAX_CAUSES = 16;

/**
 * The first of what was thrown and its chain of causes that is what is looked for. Whatever was thrown, this
 * does not throw.
 */
export function findCause<T extends object>(
  thrown: unknown,
  isIt: (link: object) => link is T,
): T | undefined {
  let link = thrown;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    if (typeof link !== "object" || link === null) return undefined;
    try {
      if (isIt(link)) return link;
      link = (link as { cause?: unknown }).cause;
    } catch {
      return undefined; // a getter or a proxy that throws: not ours
    }
  }
  return undefined;
}
