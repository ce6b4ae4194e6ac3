import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { assert } from "../../errors.js";
import type { ThreadSettings } from "../../task/thread-options.js";
import { type LaunchedThread, launchThread, type ThreadListener } from "./launch-thread.js";
import type { Pulse } from "./pulses.js";
import type { TaskWords } from "./task-words.js";

/** The way to a thread, from its launch on; it can be ended before there is one. */
export class ThreadChannel {
  readonly #listener: ThreadListener;
  #launched: LaunchedThread | undefined;
  #ended = false;

  constructor(listener: ThreadListener) {
    this.#listener = listener;
  }

  get threadId(): number {
    return this.#launched?.threadId ?? -1;
  }

  get port(): MessagePort {
    return this.#open.port;
  }

  get words(): TaskWords {
    return this.#open.words;
  }

  /** @throws whatever the platform throws where it cannot make a thread */
  async launch(settings: ThreadSettings, pulse: Pulse | undefined): Promise<void> {
    this.#launched = await launchThread(settings, pulse, this.#listener);
    if (this.#ended) this.#launched.terminate();
  }

  /** Ends the thread, as soon as there is one. */
  end(): void {
    this.#ended = true;
    this.#launched?.terminate();
  }

  /** Reads out what the thread has told and nobody has heard yet. */
  hearAll(): void {
    const port = this.#launched?.port;
    if (port === undefined) return;
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
      this.#listener.told(next.message);
  }

  get #open(): LaunchedThread {
    assert(this.#launched !== undefined, "a thread that has come up has its channel");
    return this.#launched;
  }
}
