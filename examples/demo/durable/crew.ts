import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UsageError } from "../command-line.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./messages.ts";

/** One worker process, as it is told of at the end. */
export interface WorkerSummary {
  readonly name: string;
  readonly pid: number;
  /** Attempts, those included that another process has made again. */
  readonly begun: number;
  readonly completed: number;
  readonly end: "killed" | "crashed" | "stopped" | null;
}

interface Worker {
  readonly name: string;
  readonly child: ChildProcess;
  readonly gone: Promise<void>;
  /** Tasks that it has begun, and that are not over. */
  readonly held: Set<string>;
  begun: number;
  completed: number;
  end: WorkerSummary["end"];
}

const PROGRAM = fileURLToPath(new URL("worker.ts", import.meta.url));
/** Of those who end by themselves, so many are replaced. */
const MAX_CRASHES = 5;

/** The worker processes of a run. */
export class Crew {
  begun = 0;
  retried = 0;
  /** Tasks that a process had begun when it was killed, and that another has begun again. */
  redelivered = 0;
  readonly #settings: WorkerSettings;
  readonly #workers: Worker[] = [];
  readonly #orphans = new Set<string>();
  readonly #onBegun: (name: string) => void;
  readonly #onFailure: (error: Error) => void;
  #crashes = 0;
  #stopping = false;

  /**
   * @param onBegun a worker has begun a task
   * @param onFailure there is none any more, nor will there be
   */
  constructor(settings: WorkerSettings, onBegun: (name: string) => void, onFailure: (error: Error) => void) {
    this.#settings = settings;
    this.#onBegun = onBegun;
    this.#onFailure = onFailure;
  }

  /** Files that are being worked on. */
  get running(): number {
    return this.#workers.reduce((sum, { held, end }) => sum + (end === null ? held.size : 0), 0);
  }

  get workers(): readonly WorkerSummary[] {
    return this.#workers.map(({ name, child, begun, completed, end }) => {
      return { name, pid: child.pid ?? 0, begun, completed, end };
    });
  }

  /** @throws {UsageError} as a rejection, where the settings are not those of a worker */
  async add(): Promise<WorkerSummary["name"]> {
    const child = fork(PROGRAM, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const name = `worker ${this.#workers.length + 1}`;
    const worker: Worker = {
      ...{ name, child, gone, held: new Set<string>() },
      ...{ begun: 0, completed: 0, end: null },
    };
    this.#workers.push(worker);
    await new Promise<void>((resolve, reject) => {
      child.on("message", (message: FromWorker) => {
        if (message.kind === "ready") resolve();
        else if (message.kind === "refused") reject(new UsageError(message.message));
        else this.#hear(worker, message);
      });
      child.on("error", () => {}); // a message that came too late
      void gone.then(() => {
        this.#lose(worker);
        resolve();
      });
      send(child, { kind: "begin", settings: this.#settings });
    });
    return name;
  }

  /** Kills a worker as the kernel would that is out of memory: it has no chance to give anything back. */
  async kill(name: string): Promise<{ readonly pid: number; readonly held: number }> {
    const worker = this.#workers.find((each) => each.name === name);
    if (worker === undefined) throw new Error(`There is no ${name}`);
    worker.end = "killed";
    worker.child.kill("SIGKILL");
    await worker.gone;
    return { pid: worker.child.pid ?? 0, held: worker.held.size };
  }

  /** Lets all workers finish what they have begun, and give back what they cannot. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    for (const { child } of this.#workers) send(child, { kind: "stop", deadlineMs });
    const late = setTimeout(() => this.killAll(), deadlineMs + 2_000);
    await Promise.all(this.#workers.map(({ gone }) => gone));
    clearTimeout(late);
  }

  killAll(): void {
    this.#stopping = true;
    for (const { child } of this.#workers) child.kill("SIGKILL");
  }

  #hear(worker: Worker, message: Extract<FromWorker, { readonly id: string }>): void {
    const { kind, id } = message;
    if (kind === "over") {
      worker.held.delete(id);
      if (message.how === "completed") worker.completed++;
      if (message.how === "retried") this.retried++;
      return;
    }
    this.begun++;
    worker.begun++;
    worker.held.add(id);
    if (this.#orphans.delete(id)) this.redelivered++;
    if (worker.end === null) this.#onBegun(worker.name);
  }

  #lose(worker: Worker): void {
    for (const id of worker.held) this.#orphans.add(id);
    if (this.#stopping) worker.end ??= "stopped";
    if (worker.end !== null) return;
    worker.end = "crashed";
    if (++this.#crashes > MAX_CRASHES) this.#onFailure(new Error("The worker processes end by themselves"));
    else this.add().catch(this.#onFailure);
  }
}

function send(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => {});
}
