import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
  type WorkerOptions,
} from "node:worker_threads";
import type { MessageFromRenewal, RenewalStart, SentAddress } from "./messages.js";

const ENTRY = new URL("./inside/renewal-entry.js", import.meta.url);

/** It holds a client of Redis and one entry for each lease. */
const MAX_HEAP_MB = 128;

/** And what a module of the user's loads. */
const MAX_HEAP_WITH_MODULE_MB = 512;

/** False where the package was bundled, and the file of the thread was not. */
export function hasRenewalEntry(): boolean {
  return ENTRY.protocol === "file:" && existsSync(fileURLToPath(ENTRY));
}

export interface RenewalThreadListener {
  told(message: MessageFromRenewal): void;
  /** It has exited, without being asked to. */
  exited(error: unknown): void;
}

/** A thread that renews, and the way to it. It keeps no process alive. */
export class RenewalThread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #listener: RenewalThreadListener;
  readonly #exited: Promise<void>;
  #error: unknown;
  #ended = false;

  /** @throws whatever the platform throws where it cannot make a thread */
  constructor(start: Omit<RenewalStart, "port">, listener: RenewalThreadListener) {
    const { port1, port2 } = new MessageChannel();
    this.#listener = listener;
    this.#port = port1;
    this.#worker = new Worker(ENTRY, {
      name: "millrace-renewal",
      workerData: { ...start, port: port2 } satisfies RenewalStart,
      transferList: [port2],
      ...toSurroundings(start.address),
    });
    this.#worker.on("error", (error: unknown) => {
      this.#error = error;
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", (exitCode) => {
        this.hearAll(); // what it has told before counts
        port1.close();
        if (!this.#ended) listener.exited(this.#error ?? new Error(`It ended with code ${exitCode}`));
        resolve();
      });
    });
    port1.on("message", (message: MessageFromRenewal) => this.#tell(message));
    port1.unref();
    this.#worker.unref();
  }

  /** Reads out what it has told and nobody has heard yet. */
  hearAll(): void {
    for (let next = receiveMessageOnPort(this.#port); next; next = receiveMessageOnPort(this.#port))
      this.#tell(next.message as MessageFromRenewal);
  }

  /** Ends it, wherever it is. Resolves when it has exited. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#worker.terminate();
    await this.#exited;
  }

  #tell(message: MessageFromRenewal): void {
    if (!this.#ended) this.#listener.told(message);
  }
}

/**
 * Without code of the user's there, what the process preloads, and its secrets, are of no use. A module has
 * both, as it would on the main thread: where it finds Redis, and with which credentials, is often there.
 */
function toSurroundings(address: SentAddress): WorkerOptions {
  if ("module" in address)
    return { env: process.env, resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_WITH_MODULE_MB } };
  return { execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB } };
}
