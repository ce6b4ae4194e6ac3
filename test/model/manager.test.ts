import fc from "fast-check";
import { expect, test } from "vitest";
import { runCount } from "../support/run-count.js";
import { Run } from "./run.js";
import { type Settings, type Step, settings, steps } from "./steps.js";

/**
 * How many runs. `MILLRACE_MODEL_RUNS=20000 npx vitest run test/model/manager.test.ts` takes some minutes.
 */
const RUNS = Number(process.env["MILLRACE_MODEL_RUNS"] ?? runCount(500, 20_000));

/**
 * Replays a failure: what the message of the failed run says, `<seed>` for the whole series of runs or
 * `<seed>/<path>` for the one case, shrunk as far as it was.
 */
const REPLAY = process.env["MILLRACE_MODEL_REPLAY"];

function replayOf(text: string | undefined): { seed?: number; path?: string } {
  if (text === undefined) return {};
  const [seed, path] = text.split("/");
  return path === undefined ? { seed: Number(seed) } : { seed: Number(seed), path };
}

const played = { runs: 0, steps: 0 };

async function play(options: Settings, script: readonly Step[]): Promise<void> {
  played.runs++;
  played.steps += script.length;
  await new Run(options).play(script);
}

test(
  "a manager does what the model says, whatever is done to it",
  async () => {
    const details = await fc.check(fc.asyncProperty(settings, steps, play), {
      numRuns: RUNS,
      ...replayOf(REPLAY),
    });
    if (process.env["MILLRACE_MODEL_RUNS"]) console.log(`${played.runs} runs, ${played.steps} steps`);
    if (!details.failed) return;
    const [options, script] = details.counterexample ?? [];
    const lines = [
      String(details.errorInstance instanceof Error ? details.errorInstance.stack : details.errorInstance),
      `after ${details.numRuns} runs and ${details.numShrinks} shrinks; to replay:`,
      `MILLRACE_MODEL_REPLAY=${details.seed}/${details.counterexamplePath}`,
      fc.stringify(options),
      ...(script ?? []).map((step) => fc.stringify(step)),
    ];
    expect.fail(lines.join("\n"));
  },
  20_000 + RUNS * 200,
);
