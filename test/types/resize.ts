import type { TaskContext } from "millrace";

interface Picture {
  path: string;
  width: number;
}

export default async function resize(picture: Picture, _context: TaskContext) {
  return new Uint8Array(picture.width);
}

export function crop(picture: { path: string }): boolean {
  return picture.path !== "";
}
