import type { Outcome } from "../../task/outcome.js";
import type { Attempt } from "./attempt.js";
import type { TimedConclusion } from "./concluder.js";
import { Readmission, type ReadmissionParts } from "./readmission.js";

/** What becomes of a task when an attempt of it has ended. */
export interface Aftermath {
  /** What the outcome comes to where the task lives: it may be one that cannot be kept there. */
  weigh(attempt: Attempt, outcome: Outcome): Outcome;
  /** The handler begins only now, having waited for its place. */
  began(attempt: Attempt): void;
  /** The handler of an attempt that is watched has its place, of that pulse; undefined: it has left it. */
  placed(attempt: Attempt, pulse: number | undefined): void;
  /** Its handler has told of its progress, as often as anybody is told of that. */
  progressed(attempt: Attempt, value: unknown): void;
  complete(attempt: Attempt, value: unknown, now: number): void;
  act(attempt: Attempt, conclusion: TimedConclusion, now: number, abandoned: boolean): void;
  /** The attempt has not been one. */
  handBack(attempt: Attempt, now: number): void;
}

/** That of tasks which live in this process. */
export class LocalAftermath implements Aftermath {
  readonly #settler: ReadmissionParts["settler"];
  readonly #readmission: Readmission;

  constructor(parts: ReadmissionParts) {
    this.#settler = parts.settler;
    this.#readmission = new Readmission(parts);
  }

  weigh(_attempt: Attempt, outcome: Outcome): Outcome {
    return outcome;
  }

  began(): void {}

  placed(): void {}

  progressed(): void {}

  complete({ task }: Attempt, value: unknown, now: number): void {
    this.#settler.complete(task, value, now);
  }

  act(attempt: Attempt, conclusion: TimedConclusion, now: number, abandoned: boolean): void {
    const { task } = attempt;
    switch (conclusion.next) {
      case "complete":
        this.#settler.complete(task, conclusion.value, now);
        break;
      case "fail":
      case "cancel":
        this.#settler.defeat(task, { ...conclusion, transition: conclusion.next }, now, abandoned);
        break;
      case "retry":
        this.#readmission.retry(attempt, conclusion, now, abandoned);
        break;
      case "reschedule":
        this.#readmission.reschedule(task, conclusion, now);
        break;
      case "leave":
        break; // only tasks that live elsewhere can leave
    }
  }

  handBack(attempt: Attempt, now: number): void {
    this.#readmission.handBack(attempt, now);
  }
}
