export type CloneVerdict = { readonly bytes: number } | { readonly path: string; readonly problem: string };
export function checkClone(value: unknown, _max: number, root: string): CloneVerdict {
  return typeof value === "function" ? { path: root, problem: "is a function" } : { bytes: 0 };
}
