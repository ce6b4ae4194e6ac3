/** What an error says, or what else was thrown as text. It never throws, as some objects do. */
export function toText(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown);
  } catch {
    return "what was thrown has no text";
  }
}
