// What `npm test` does with a build: runs the tests, and checks types and style beside them, in what these leave of the
// processors while they wait. Fails where either fails. Its arguments are for Vitest.
import { spawn } from "node:child_process";
import { constants, setPriority } from "node:os";

const [node, , ...words] = process.argv;
const children = [];
let stopping = false;

// Nobody outlives it: who stops it stops them, and waits for them. Each child leads a process group of its own, so that
// a signal comes to its own children too; and Ctrl-C, which a terminal sends to a whole group, comes to them from here only.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(name, () => {
    stopping = true;
    for (const child of children) signalGroup(child, name);
  });
}

const check = start("npm", ["run", "--silent", "check"], ["ignore", "pipe", "pipe"]);
if (check.child.pid !== undefined) setPriority(check.child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
let said = "";
for (const stream of [check.child.stdout, check.child.stderr]) {
  stream.setEncoding("utf8").on("data", (text) => {
    said += text;
  });
}
const tests = start(node, ["node_modules/vitest/vitest.mjs", "run", ...words], "inherit");

const [tested, checked] = await Promise.all([tests.ended, check.ended]);
console.log(said.trimEnd()); // at the end, where it is seen
if (tested !== 0) console.log("\nThe tests failed: see above.");
if (checked !== 0) console.log("\nThe check of types and style failed: `npm run check`.");
process.exitCode = tested || checked;

/** `ended` is its exit code; 1 where it has none, or could not be started. */
function start(command, args, stdio) {
  const child = spawn(command, args, { stdio, detached: true });
  children.push(child);
  const ended = new Promise((resolve) => {
    child.on("error", (error) => {
      console.error(error);
      resolve(1);
    });
    child.on("exit", () => {
      if (stopping) signalGroup(child, "SIGKILL"); // whoever of its group has not heeded the signal
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { child, ended };
}

function signalGroup({ pid }, name) {
  if (pid === undefined) return; // it could not be started
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error; // nobody is left of it
  }
}
