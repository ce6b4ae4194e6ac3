import { readCommand, UsageError, usage } from "./command-line.js";
import { describeEnvironment } from "./environment.js";
import { evaluate } from "./evaluate.js";
import { cases } from "./registry.js";
import { caseJson, caseTable, caseTitle, environmentText } from "./report.js";
import { runCase } from "./run-case.js";

async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2), cases);
  if (command.help) {
    console.log(usage(cases));
    return 0;
  }
  const environment = describeEnvironment();
  if (!command.json) console.log(environmentText(environment));

  const missed: string[] = [];
  for (const benchCase of command.cases) {
    // Before the runs, since some take a minute.
    if (!command.json) console.log(caseTitle(benchCase));
    const result = evaluate(benchCase, await runCase(benchCase, command.profileFolder));
    console.log(
      command.json ? caseJson(benchCase, result, environment) : `\n${caseTable(benchCase, result)}`,
    );
    if (result.goals.some(({ floorMet }) => floorMet === false)) missed.push(benchCase.name);
  }
  if (missed.length === 0 || !command.check) return 0;
  console.error(`bench: a floor was missed in ${missed.join(", ")}`);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
