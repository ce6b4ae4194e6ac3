/** So many runs at least find what a property is there to find, whatever part of them is played. */
const LEAST = 100;

/**
 * How often a property is tried: `usual` times, or `long` times where it runs for hours. Of `usual`, a part may be
 * enough (`MILLRACE_RUNS_SHARE=0.25`) where other versions of Node play the same with other seeds.
 */
export function runCount(usual: number, long = usual): number {
  if (process.env["MILLRACE_LONG"]) return long;
  const share = Number(process.env["MILLRACE_RUNS_SHARE"] ?? 1);
  return Math.max(Math.min(usual, LEAST), Math.round(usual * share));
}
