import type { GroupTally } from "./group-tally.js";
import type { LaneName } from "./lane-name.js";
import type { TerminalState } from "./states.js";
import type { Task } from "./task.js";
import { type TaskResult, toTaskResult } from "./task-result.js";
import type { TaskSnapshot } from "./task-snapshot.js";
import { toSnapshot } from "./to-snapshot.js";

/**
 * A task has reached its terminal state, in which nothing about it changes any more: so its pictures are made
 * when somebody looks, each once. Subscriptions look at the result, most others at the task.
 */
export class FinishedEvent {
  readonly type = "finished" as const;
  readonly value: unknown;
  readonly #finished: Task;
  readonly #wallOffset: number;
  #task: TaskSnapshot | undefined;
  #result: TaskResult | undefined;

  /** @param wallOffset what turns a monotonic instant into one since the epoch */
  constructor(task: Task, value: unknown, wallOffset: number) {
    this.value = value;
    this.#finished = task;
    this.#wallOffset = wallOffset;
  }

  /** In which the task was counted; this and the next three are for who measures and needs no picture. */
  get tally(): GroupTally {
    return this.#finished.tally;
  }

  get lane(): LaneName {
    return this.#finished.profile.lane;
  }

  get state(): TerminalState {
    return this.#finished.state as TerminalState;
  }

  /** How long its last attempt ran; undefined when it was never started. */
  get runMs(): number | undefined {
    return this.#finished.runMs;
  }

  get task(): TaskSnapshot {
    this.#task ??= toSnapshot(this.#finished, this.#wallOffset);
    return this.#task;
  }

  get result(): TaskResult {
    this.#result ??= toTaskResult(this.#finished, this.value, this.#wallOffset);
    return this.#result;
  }
}
