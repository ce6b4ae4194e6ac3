// TypeScript that a thread imports as it is; main.ts says how.
import type { TaskContext } from "millrace/worker";

export interface Picture {
  width: number;
  height: number;
  fit: "cover" | "contain";
}

export default async function resize({ width, height, fit }: Picture, { attempt }: TaskContext) {
  const [x, y] = [320 / width, 240 / height];
  return { scale: fit === "cover" ? Math.max(x, y) : Math.min(x, y), attempt };
}
