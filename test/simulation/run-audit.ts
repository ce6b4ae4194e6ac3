import type { Settlement } from "../../src/core/durable/held-lease.js";
import type { Lease } from "../../src/ports/backend.js";
import type { AuditedLease } from "./audited-task.js";
import type { Run, RunResult } from "./run.js";
import type { SimulatedProcess } from "./simulated-process.js";
import type { StoreAudit } from "./store-audit.js";
import type { Timeline } from "./timeline.js";
import type { Verdict } from "./violation.js";

const METHODS: Record<Settlement["kind"], "ack" | "nack" | "deadLetter"> = {
  ack: "ack",
  nack: "nack",
  "dead-letter": "deadLetter",
};

/** So often one looks whether a process that stood still has learned what it missed. */
const LOOK_AGAIN_MS = 1;

/** Follows the runs of handlers: who believes when that a task is his. */
export class RunAudit {
  readonly #verdict: Verdict;
  readonly #timeline: Timeline;
  readonly #store: StoreAudit;
  /** Those that go on and whose signal is not aborted, by task. */
  readonly #believers = new Map<string, Set<Run>>();
  #runs = 0;

  constructor(timeline: Timeline, store: StoreAudit, verdict: Verdict) {
    this.#verdict = verdict;
    this.#timeline = timeline;
    this.#store = store;
  }

  /** How many runs there were. */
  get runs(): number {
    return this.#runs;
  }

  /** A handler starts. The verdict is told what is wrong: what is thrown, the code under test may catch. */
  started(process: SimulatedProcess, { id, token }: Lease): Run {
    const run: Run = { id, token, process, startedAt: this.#timeline.now, aborted: false, result: undefined };
    this.#runs++;
    const lease = this.#store.lease({ id, token });
    if (lease === undefined || lease.process !== process) {
      this.#verdict.fail("I3", `${process.name} runs ${id}, and has no lease of it`);
      return run;
    }
    if (lease.run !== undefined) this.#verdict.fail("I3", `${process.name} runs ${id} twice under one lease`);
    lease.run = run;
    if (this.#timeline.now >= lease.validUntil && !lease.excused)
      this.#verdict.fail("I3", `${process.name} starts ${id} when its lease has expired`);
    const believers = this.#believers.get(id) ?? new Set();
    for (const other of believers) this.#checkOverlap(run, other, lease.excused);
    believers.add(run);
    this.#believers.set(id, believers);
    return run;
  }

  /** Its signal says that it must end; what comes of it counts for nothing. */
  aborted(run: Run): void {
    run.aborted = true;
    this.#believers.get(run.id)?.delete(run);
  }

  ended(run: Run, result: RunResult): void {
    run.result = result;
    this.#believers.get(run.id)?.delete(run);
  }

  /** The process is gone, and its handlers with it. */
  died(process: SimulatedProcess): void {
    for (const believers of this.#believers.values())
      for (const run of believers) if (run.process === process) believers.delete(run);
  }

  /** I8, S9: a process says of a task what the store has confirmed, and no more. */
  confirmed(lease: Lease, kind: Settlement["kind"]): void {
    const found = this.#store.lease(lease);
    if (found?.confirmed !== METHODS[kind]) {
      this.#verdict.fail(
        "I8",
        `${lease.id} is said to be settled by ${kind}, and the store has not confirmed it`,
      );
      return;
    }
    const task = this.#store.tasks.get(lease.id);
    // A store that has forgotten an end may be told of another.
    if (kind === "nack" || task === undefined || found.era !== this.#store.era) return;
    if (lease.token <= task.formerToken) return;
    task.published++;
    if (task.published > 1) this.#verdict.fail("I8", `${lease.id} was said to have ended twice`);
  }

  /** A lease may be another's from now on: nobody must believe that he has it. */
  expired(lease: AuditedLease): void {
    const { run } = lease;
    if (run === undefined || !this.#believers.get(lease.id)?.has(run) || lease.excused) return;
    if (this.#timeline.now < lease.validUntil) return;
    // A process that stands still cannot know; when it goes on, it must learn before it does anything else.
    if (!run.process.aware) this.#timeline.after(LOOK_AGAIN_MS, () => this.expired(lease), false);
    else
      this.#verdict.fail("I3", `${run.process.name} believes in its lease of ${lease.id}, which has expired`);
  }

  #checkOverlap(run: Run, other: Run, isExcused: boolean): void {
    // Whatever befell the store: who is given a task anew knows that what he had of it is void.
    if (other.process === run.process)
      this.#verdict.fail("I3", `${run.process.name} runs ${run.id} under two leases`);
    const lease = this.#store.lease(other);
    if (isExcused || !other.process.aware || lease === undefined || lease.excused) return;
    this.#verdict.fail("I3", `${run.process.name} runs ${run.id}, and so does ${other.process.name}`);
  }
}
