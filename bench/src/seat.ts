import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { BenchCase, Contestant } from "./bench-case.js";

export type SeatReply = { readonly cost: number } | { readonly failure: string };

const program = fileURLToPath(new URL("./seat-process.js", import.meta.url));

/** The parent's end of a contestant's process. One run at a time. */
export class Seat {
  readonly contestant: Contestant;
  readonly #process: ChildProcess;
  readonly #title: string;

  constructor(benchCase: BenchCase, contestant: Contestant, profileFolder: string | undefined) {
    this.contestant = contestant;
    this.#title = `${contestant.name} in ${benchCase.name}`;
    const profiler =
      profileFolder === undefined
        ? []
        : [
            "--cpu-prof",
            `--cpu-prof-dir=${profileFolder}`,
            `--cpu-prof-name=${benchCase.name}.${contestant.name}.cpuprofile`,
          ];
    // What a contestant prints goes to stderr: stdout is for results.
    this.#process = fork(program, [benchCase.name, contestant.name], {
      execArgv: ["--expose-gc", ...profiler],
      stdio: ["ignore", 2, 2, "ipc"],
    });
  }

  async run(): Promise<number> {
    const reply = new Promise<SeatReply>((resolve, reject) => {
      const died = (code: number | null) => reject(new Error(`${this.#title} ended with code ${code}`));
      this.#process.once("exit", died);
      this.#process.once("message", (message: SeatReply) => {
        this.#process.off("exit", died);
        resolve(message);
      });
    });
    this.#process.send("run");
    const outcome = await reply;
    if ("failure" in outcome) throw new Error(`${this.#title} failed: ${outcome.failure}`);
    return outcome.cost;
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.disconnect();
    await ended;
  }
}
