// The seat of one contestant: a process in which nothing else runs, so that neither compiled code nor garbage of
// another contestant touches it. Started by seat.ts; every "run" message asks for one run.
import { collectGarbage } from "./collect-garbage.js";
import { cases } from "./registry.js";
import type { SeatReply } from "./seat.js";

const [caseName, contestantName] = process.argv.slice(2);
const contestant = cases
  .find((one) => one.name === caseName)
  ?.contestants.find((one) => one.name === contestantName);
if (contestant === undefined) throw new Error(`No contestant ${contestantName} in case ${caseName}`);
const { run } = contestant;

async function runOnce(): Promise<SeatReply> {
  try {
    await collectGarbage();
    return { cost: await run() };
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on("message", async () => process.send?.(await runOnce()));
process.on("disconnect", () => process.exit());
