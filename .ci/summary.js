// Sums up the reports of all runs in a folder: `node .ci/summary.js <folder>`. For each `<run>.exit`, which holds the
// exit code of the run, there has to be a `<run>.json`, Vitest's report. Prints what failed and, as the last line,
// `N passed, N failed`. Ends with 2 when anything failed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder] = process.argv.slice(2);
const runs = readdirSync(folder)
  .filter((name) => name.endsWith(".exit"))
  .map((name) => summarize(name.slice(0, -".exit".length)));

console.log("");
for (const { name, passed, skipped, failures } of runs) {
  console.log(`${name}: ${passed} passed, ${failures.length} failed, ${skipped} skipped`);
}
for (const { name, failures } of runs) {
  for (const failure of failures) console.log(`FAILED ${name}: ${failure}`);
}

const passed = sum(runs.map((run) => run.passed));
const failed = sum(runs.map((run) => run.failures.length)) + (runs.length === 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 2;

function summarize(name) {
  const exitCode = readFileSync(join(folder, `${name}.exit`), "utf8").trim();
  const report = readReport(name);
  const tests = (report?.testResults ?? []).flatMap((file) => file.assertionResults);
  const count = (status) => tests.filter((test) => test.status === status).length;
  const passed = count("passed");
  const failed = count("failed");
  const failures = (report?.testResults ?? []).flatMap(failuresOfFile);

  if (exitCode === "") failures.push("was never run");
  else if (!report) failures.push(`ended with ${exitCode} and left no report`);
  else if (passed + failed === 0) failures.push(`ended with ${exitCode} and ran no test`);
  else if (exitCode !== "0" && failures.length === 0)
    failures.push(`ended with ${exitCode}, beyond its tests`);
  return { name, passed, skipped: tests.length - passed - failed, failures };
}

/** Each test that failed, or the file itself when it broke outside its tests. */
function failuresOfFile(file) {
  const failed = file.assertionResults.filter((test) => test.status === "failed");
  if (failed.length > 0) return failed.map((test) => `${pathOf(file)} > ${test.fullName}`);
  return file.status === "failed" ? [`${pathOf(file)}: ${file.message.split("\n", 1)[0]}`] : [];
}

function pathOf(file) {
  return file.name.replace(`${process.cwd()}/`, "");
}

function readReport(name) {
  try {
    return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
  } catch {
    return undefined;
  }
}

function sum(numbers) {
  return numbers.reduce((total, each) => total + each, 0);
}
