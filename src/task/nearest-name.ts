/** What the same thing is called elsewhere. */
const ELSEWHERE = new Map([
  ["attempts", "maxAttempts"],
  ["highwater", "capacity"],
  ["interval", "tasksPerSecond"],
  ["intervalcap", "tasksPerSecond"],
  ["jobid", "id"],
  ["limiter", "tasksPerSecond"],
  ["maxconcurrent", "concurrency"],
  ["maxqueue", "capacity"],
  ["maxretries", "maxAttempts"],
  ["maxthreads", "threads"],
  ["mintime", "tasksPerSecond"],
  ["oncompleted", "onFinished"],
  ["onfailed", "onFinished"],
  ["ratelimit", "tasksPerSecond"],
  ["removeoncomplete", "resultTtlMs"],
  ["removeonfail", "deadLetter"],
  ["reservoir", "burst"],
  ["retries", "maxAttempts"],
  ["retry", "maxAttempts"],
]);

/** The known name that a misspelt or foreign one most likely means, or undefined when none is near. */
export function nearestName(given: string, known: readonly string[]): string | undefined {
  if (given.length > 64) return undefined;
  const here = ELSEWHERE.get(given.toLowerCase());
  if (here !== undefined && known.includes(here)) return here;
  let nearest: string | undefined;
  let least = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(given.toLowerCase(), candidate.toLowerCase());
    if (distance < least && distance < candidate.length) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Levenshtein distance, by the row-by-row form of Wagner and Fischer. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitute, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return previous[b.length] ?? 0;
}
