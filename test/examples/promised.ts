/** What an example says that it prints: its last comment. */
export function promised(text: string): string | undefined {
  const comment = text.match(/\n\/\/ Prints:\n((?:\/\/.*\n)+)$/)?.[1];
  return comment?.replaceAll(/^\/\/ ?/gm, "");
}
