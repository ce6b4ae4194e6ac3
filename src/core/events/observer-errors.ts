import type {
  ObserverErrorOrigin,
  ObserverErrorReporter,
  ObserverSource,
} from "../../task/observer-error.js";
import { callObserver } from "./call-observer.js";
import { Mishaps } from "./mishaps.js";
import { Outbox, type OutboxParts } from "./outbox.js";

/** Errors that may wait for their report; more are only counted. */
const MAX_UNREPORTED = 10_000;

interface Report {
  readonly error: unknown;
  readonly origin: ObserverErrorOrigin;
}

export interface ObserverErrorsParts extends OutboxParts {
  readonly report: ObserverErrorReporter;
}

/**
 * What observers throw and reject with, in one place: counted at once, and reported once the present call has
 * returned. What the reporter itself throws is counted and not reported.
 */
export class ObserverErrors {
  readonly #reports: Outbox<Report> | undefined;
  readonly #mishaps: Mishaps;
  #count = 0;

  /** @param parts to report with; without them, errors are only counted */
  constructor(parts?: ObserverErrorsParts, mishaps = new Mishaps()) {
    this.#mishaps = mishaps;
    if (parts === undefined) return;
    const { report } = parts;
    const failed = () => {
      this.#count++;
    };
    this.#reports = new Outbox(parts, ({ error, origin }) =>
      callObserver(() => report(error, origin), failed),
    );
  }

  /** How many there were. */
  get count(): number {
    return this.#count;
  }

  /** @param name of the observer, where it has one */
  record(error: unknown, source: ObserverSource, name?: string): void {
    this.#count++;
    const origin = Object.freeze({ source, name });
    this.#mishaps.record({ type: "observerFailed", error, origin });
    if (this.#reports === undefined || this.#reports.size >= MAX_UNREPORTED) return;
    this.#reports.push({ error, origin });
  }

  /** Reports none of those that still wait. */
  close(): void {
    this.#reports?.close();
  }

  /** Resolves when all that was recorded before this call is reported, or when the time has come. */
  async reported(until?: number): Promise<void> {
    await this.#reports?.settled(until);
  }
}
