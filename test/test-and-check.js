// What `npm test` does with a build: runs the tests, and checks types and style beside them, in what these leave of the
// processors while they wait. Fails where either fails. Its arguments are for Vitest.
import { spawn } from "node:child_process";
import { constants, setPriority } from "node:os";

const [node, , ...words] = process.argv;
const children = [];

const check = start("npm", ["run", "--silent", "check"], ["ignore", "pipe", "pipe"]);
setPriority(check.child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
let said = "";
for (const stream of [check.child.stdout, check.child.stderr]) {
  stream.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
}
const tests = start(node, ["node_modules/vitest/vitest.mjs", "run", ...words], "inherit");

// Nobody outlives it: who stops it waits for them, too.
for (const name of ["SIGINT", "SIGTERM"]) {
  process.on(name, () => {
    for (const child of children) child.kill(name);
  });
}

const [tested, checked] = await Promise.all([tests.ended, check.ended]);
console.log(said.trimEnd()); // at the end, where it is seen
if (tested !== 0) console.log("\nThe tests failed: see above.");
if (checked !== 0) console.log("\nThe check of types and style failed: `npm run check`.");
process.exitCode = tested || checked;

/** `ended` is its exit code; 1 where it has none, or could not be started. */
function start(command, args, stdio) {
  const child = spawn(command, args, { stdio });
  children.push(child);
  const ended = new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(error);
      resolve(1);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { child, ended };
}
