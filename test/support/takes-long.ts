/** What a decoder may take for anything that it is given. */
const LONG_MS = 50;

/** Whether it takes long: twice in a row, since any machine stands still now and then. */
export function takesLong(run: () => unknown): boolean {
  return isLong(run) && isLong(run);
}

function isLong(run: () => unknown): boolean {
  const before = performance.now();
  run();
  return performance.now() - before > LONG_MS;
}
