/**
 * A program of its own: runs 100,000 tasks of the kind that is named on the command line and prints, as JSON,
 * the longest time that the event loop did not turn. Of each turn it takes the lesser of the time by the
 * clock, which grows when the machine is busy with others, and the processor time of this process, which
 * grows when the engine's helper threads collect or compile beside the loop.
 */
import { fixed, reschedule, type TaskFunction, TaskManager, type TaskOptions } from "../../../src/index.js";

const TASKS = 100_000;
/** So many are accepted in one turn: accepting is a call of the user's, and not what is measured. */
const ACCEPTED_PER_TURN = 1_000;

// Run from its sources, whose source maps would make each stack cost a tenth of a millisecond.
Error.stackTraceLimit = 0;

type Kind = readonly [work: (index: number) => TaskFunction, options?: TaskOptions];

function throws(): never {
  throw new Error("as asked");
}

const twice = { maxAttempts: 2, backoff: fixed({ delayMs: 0 }) };
const later = { maxAttempts: 2, backoff: fixed({ delayMs: 5 }) };
const KINDS: Readonly<Record<string, Kind>> = {
  "sync no-ops": [() => () => 1],
  "async no-ops": [() => async () => 1],
  "async failures with a retry at once": [() => async () => throws(), twice],
  "failures with a retry that falls due together": [() => throws, later],
  "tasks that fall due together": [() => () => 1, { delayMs: 300 }],
  "reschedules of each task": [
    () => {
      let again = true;
      return () => {
        if (!again) return;
        again = false;
        throw reschedule();
      };
    },
  ],
  "a mix": [(index) => (index % 3 === 0 ? throws : index % 3 === 1 ? async () => 1 : () => 1), twice],
};

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

async function main(kind: Kind): Promise<void> {
  const [work, options] = kind;
  const tasks = new TaskManager({ capacity: TASKS, autoStart: false });
  for (let index = 0; index < TASKS; index++) {
    tasks.enqueue(work(index), options);
    if (index % ACCEPTED_PER_TURN === 0) await turn();
  }
  const drained = tasks.drain().then(() => true);
  let longestMs = 0;
  let turns = 0;
  tasks.start();
  let before = [performance.now(), cpuMs()] as const;
  for (let done = false; !done; turns++) {
    done = await Promise.race([drained, turn().then(() => false)]);
    const now = [performance.now(), cpuMs()] as const;
    longestMs = Math.max(longestMs, Math.min(now[0] - before[0], now[1] - before[1]));
    before = now;
  }
  const { completed, failed, started } = tasks.stats().total;
  await tasks.stopNow();
  console.log(JSON.stringify({ longestMs, turns, ended: completed + failed, started }));
}

const kind = KINDS[process.argv[2] ?? ""];
if (kind === undefined) console.log(JSON.stringify(Object.keys(KINDS)));
else await main(kind);
