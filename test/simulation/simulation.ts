import type { Backend } from "../../src/ports/backend.js";
import type { AuditedTask } from "./audited-task.js";
import { Chance } from "./chance.js";
import { Faults } from "./faults.js";
import { FAIR, Link } from "./link.js";
import { type Act, drawPlan, type Plan, type Theme } from "./plan.js";
import { RemoteBackend } from "./remote-backend.js";
import { RunAudit } from "./run-audit.js";
import { SimulatedProcess } from "./simulated-process.js";
import { SimulatedProducer } from "./simulated-producer.js";
import { type Executor, executeCall, SimulatedStore } from "./simulated-store.js";
import { HANDLERS, QUEUES, SimulatedWorker } from "./simulated-worker.js";
import { StoreAudit } from "./store-audit.js";
import { quiet, Timeline } from "./timeline.js";
import { type TakeDown, Trace, type TraceKind } from "./trace.js";
import { Verdict, type Violation } from "./violation.js";

/** A rule that is broken on purpose. */
export interface Mutant {
  readonly execute?: Executor;
  readonly wrapBackend?: (backend: Backend, process: SimulatedProcess, chance: Chance) => Backend;
}

export interface SimulationOptions {
  readonly theme?: Theme;
  readonly mutant?: Mutant;
  /** What the report tells of what happened; nothing by default. */
  readonly trace?: TraceKind;
}

/** What one schedule came to. */
export interface Report {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly hash: number | undefined;
  readonly steps: number;
  readonly runs: number;
  readonly tasks: number;
  readonly redeliveries: number;
  readonly faults: Faults;
  /** From the last fault until all was done, in virtual milliseconds. */
  readonly drainMs: number;
  readonly lines: readonly string[];
}

/** After the last fault, all is done within so many leases: I16. */
const DRAIN_LEASES = 8;
/** Several round trips in fair weather. */
const PROMPT_MS = 50;
const STOP_MS = 300;
/** A run that takes more steps than this goes round in circles. */
const MAX_STEPS = 50_000;
const UNLIMITED = Number.POSITIVE_INFINITY;
const HOUR_MS = 3_600_000;
const OLDER_MS = 500;

/** One schedule: a store, processes that share it, a network between them, and all that goes wrong. */
export class Simulation {
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #plan: Plan;
  readonly #timeline: Timeline;
  readonly #trace: Trace;
  readonly #verdict = new Verdict();
  readonly #faults = new Faults();
  readonly #store: SimulatedStore;
  readonly #audit: StoreAudit;
  readonly #runs: RunAudit;
  readonly #mutant: Mutant;
  readonly #queues: readonly string[];
  readonly #workers: SimulatedWorker[] = [];
  readonly #producers: SimulatedProducer[] = [];
  readonly #links = new Map<SimulatedProcess, Link>();
  readonly #note: TakeDown = (...words) => this.#trace.note(this.#timeline.now, ...words);
  #processes = 0;
  #calm = false;
  #drainedAt = 0;
  #stopped = 0;

  constructor(seed: number, { theme = "anything", mutant = {}, trace = "nothing" }: SimulationOptions = {}) {
    this.#seed = seed;
    this.#mutant = mutant;
    this.#chance = new Chance(seed);
    this.#plan = drawPlan(this.#chance, theme);
    this.#trace = new Trace(trace);
    this.#timeline = new Timeline(this.#chance.fork());
    const { leaseMs, queues } = this.#plan;
    this.#queues = QUEUES.slice(0, queues);
    this.#store = new SimulatedStore({
      timeline: this.#timeline,
      queues: this.#queues,
      execute: mutant.execute ?? executeCall,
      watcher: {
        executing: (sent) => this.#audit.before(sent),
        executed: (sent, before, answer) => {
          this.#note("store", sent.call.method, "of", sent.process.name);
          this.#audit.after(sent, before as ReturnType<StoreAudit["before"]>, answer);
        },
      },
      keepsLog: this.#plan.acts.some((act) => act.do === "older-store"),
    });
    this.#audit = new StoreAudit({
      verdict: this.#verdict,
      timeline: this.#timeline,
      faults: this.#faults,
      store: this.#store,
      lingerMs: leaseMs,
      claimed: (task) => this.#checkWait(task),
      expired: (lease) => this.#runs.expired(lease),
    });
    this.#runs = new RunAudit(this.#timeline, this.#audit, this.#verdict);
  }

  /** Plays it to its end, or to the first rule that is broken. */
  async play(): Promise<Report> {
    const { calmAt, producers, tasks, workers } = this.#plan;
    for (let count = 0; count < producers; count++) this.#addProducer(tasks);
    for (let count = 0; count < workers; count++) this.#addWorker(count === 0);
    for (const act of this.#plan.acts) this.#timeline.after(act.at, () => this.#act(act));
    this.#timeline.after(calmAt, () => this.#becalm());
    try {
      await this.#goOn();
      this.#finalChecks();
    } catch (error) {
      if (this.#verdict.violation === undefined) throw error;
    }
    return {
      seed: this.#seed,
      violation: this.#verdict.violation,
      hash: this.#trace.hash,
      steps: this.#timeline.steps,
      runs: this.#runs.runs,
      tasks: this.#audit.tasks.size,
      redeliveries: this.#audit.redeliveries,
      faults: this.#faults,
      lines: this.#trace.lines,
      drainMs: this.#drainedAt - calmAt,
    };
  }

  async #goOn(): Promise<void> {
    const { leaseMs, calmAt } = this.#plan;
    await quiet();
    for (;;) {
      const step = this.#timeline.step();
      if (step === undefined) break;
      if (step.wakes) await quiet();
      if (this.#verdict.violation !== undefined) throw this.#verdict.violation;
      if (this.#timeline.steps > MAX_STEPS) throw this.#verdict.fail("I16", "it goes round in circles");
      if (!this.#calm || this.#timeline.steps % 8 !== 0) continue;
      if (this.#drainedAt === 0) this.#lookWhetherDrained();
      else if (this.#stopped === this.#workers.length) break;
      if (this.#drainedAt === 0 && this.#timeline.now > calmAt + DRAIN_LEASES * leaseMs)
        throw this.#verdict.fail("I16", `${this.#unfinished()} has not ended`);
    }
  }

  #unfinished(): string {
    const task = [...this.#audit.tasks.values()].find(({ live }) => live);
    const found = task && this.#store.look([task.id])[0];
    return `${task?.id ?? "a producer's call"} (${found?.place})`;
  }

  #lookWhetherDrained(): void {
    if (!this.#producers.every(({ done }) => done)) return;
    this.#audit.noticeCancelled();
    for (const { live } of this.#audit.tasks.values()) if (live) return;
    this.#drainedAt = this.#timeline.now;
    this.#note("drained");
    for (const worker of this.#workers) if (worker.works) worker.stop(STOP_MS);
  }

  /** I9, I15: whatever was asked has been answered, and nothing is left behind. */
  #finalChecks(): void {
    this.#audit.checkAll();
    if (this.#drainedAt === 0) throw this.#verdict.fail("I16", `${this.#unfinished()} is left`);
    for (const worker of this.#workers) {
      const { name, timers } = worker.process;
      if (!worker.stopped) throw this.#verdict.fail("I9", `${name} has not stopped`);
      if (timers > 0) throw this.#verdict.fail("I15", `${name} has ${timers} timers after its stop`);
    }
  }

  /** I16: where nothing goes wrong, no task waits beside a free slot. */
  #checkWait({ id, readyAt, task }: AuditedTask): void {
    const waitMs = this.#timeline.now - readyAt;
    if (!this.#plan.quiet || waitMs < PROMPT_MS) return;
    for (const worker of this.#workers) {
      if (worker.freeFor(task.handler) < PROMPT_MS) continue;
      this.#verdict.fail("I16", `${id} has waited for ${waitMs} ms, and ${worker.process.name} had room`);
    }
  }

  #addProducer(tasks: number): void {
    const { process, backend } = this.#addProcess("p");
    const { maxDeliveries, spanMs } = this.#plan;
    const producer = new SimulatedProducer({
      process,
      backend,
      tasks,
      spanMs,
      maxDeliveries,
      queues: this.#queues,
      timeline: this.#timeline,
      chance: this.#chance.fork(),
      audit: this.#audit,
      verdict: this.#verdict,
    });
    this.#producers.push(producer);
    producer.start();
  }

  #addWorker(complete: boolean): void {
    if (this.#drainedAt > 0) return;
    const { process, backend } = this.#addProcess("w");
    const { leaseMs, pollMs, maxAttempts, turbulent, long, failing } = this.#plan;
    const chance = this.#chance.fork();
    const worker = new SimulatedWorker({
      process,
      backend,
      leaseMs,
      pollMs,
      maxAttempts,
      chance,
      long,
      failing,
      timeline: this.#timeline,
      faults: this.#faults,
      audit: this.#runs,
      verdict: this.#verdict,
      queues: this.#queues,
      room: {
        slots: 1 + chance.below(4),
        permits: chance.happens(0.2) ? 1 + chance.below(2) : UNLIMITED,
        handlers: complete || chance.happens(0.5) ? HANDLERS : HANDLERS.slice(0, 1),
        lastHandlerRoom: chance.happens(0.2) ? 1 : UNLIMITED,
      },
      turbulent: () => turbulent && !this.#calm,
      trace: this.#note,
      stopped: () => this.#stopped++,
    });
    this.#workers.push(worker);
    worker.start();
  }

  #addProcess(kind: string): { readonly process: SimulatedProcess; readonly backend: Backend } {
    const name = `${kind}${++this.#processes}`;
    const process = new SimulatedProcess(name, this.#timeline, this.#chance.fork());
    const link = new Link({
      process,
      timeline: this.#timeline,
      faults: this.#faults,
      target: this.#store,
      chance: this.#chance.fork(),
      timeoutMs: this.#plan.timeoutMs,
      weather: () => (this.#calm ? FAIR : this.#plan.weather),
      trace: this.#note,
    });
    this.#links.set(process, link);
    const backend = new RemoteBackend(link, this.#store);
    return { process, backend: this.#mutant.wrapBackend?.(backend, process, this.#chance.fork()) ?? backend };
  }

  #act({ do: what, lastsMs }: Act): void {
    const { now } = this.#timeline;
    this.#note("act", what);
    switch (what) {
      case "restart-store":
      case "older-store":
      case "empty-store":
        this.#restartStore(what, lastsMs);
        return;
      case "step-clock":
        this.#stepClock();
        return;
      default:
        break;
    }
    const everybody = [...this.#workers, ...this.#producers].filter(({ process }) => process.alive);
    if (everybody.length === 0) return;
    const one = this.#chance.pick(everybody);
    const { process } = one;
    switch (what) {
      case "crash":
        this.#crash(one, lastsMs);
        break;
      case "crash-sending":
        process.crashAfterSending(this.#chance.below(3), () => this.#crash(one, lastsMs));
        break;
      case "pause":
        this.#faults.add("pause", process, now, now + lastsMs);
        process.pause();
        this.#timeline.after(lastsMs, () => process.resume());
        break;
      case "part":
        this.#links.get(process)?.part(now + lastsMs);
        break;
      case "jump-wall":
        process.jumpWall();
        break;
      case "stop":
      case "stop-now":
        if (one instanceof SimulatedWorker && one.works) this.#stop(one, what === "stop" ? lastsMs : 0);
        break;
    }
  }

  #crash(one: SimulatedWorker | SimulatedProducer, backInMs: number): void {
    const { process } = one;
    if (!process.alive) return;
    const { now } = this.#timeline;
    this.#note(process.name, "crashes");
    // What it held is missed until its leases have expired.
    this.#faults.add("crash", process, now, Number.POSITIVE_INFINITY);
    process.crash();
    if (!(one instanceof SimulatedWorker)) return;
    this.#remove(one);
    const backIn = Math.max(0, Math.min(backInMs, this.#plan.calmAt - now));
    this.#timeline.after(backIn, () => this.#addWorker(true));
  }

  #stop(worker: SimulatedWorker, deadlineMs: number): void {
    worker.stop(deadlineMs);
    if (!this.#workers.some(({ complete, works }) => complete && works))
      this.#timeline.after(1, () => this.#addWorker(true));
  }

  #remove(worker: SimulatedWorker): void {
    worker.died();
    const index = this.#workers.indexOf(worker);
    if (index !== -1) this.#workers.splice(index, 1);
    if (worker.stopped) this.#stopped--;
  }

  #restartStore(what: "restart-store" | "older-store" | "empty-store", lastsMs: number): void {
    const { now } = this.#timeline;
    const kinds = {
      "restart-store": "store-down",
      "older-store": "store-rolled-back",
      "empty-store": "store-emptied",
    } as const;
    const since = now - this.#chance.between(0, OLDER_MS);
    this.#faults.add(kinds[what], undefined, what === "restart-store" ? now : since, now + lastsMs);
    this.#store.goDown();
    this.#timeline.after(lastsMs, () => {
      const contents = { "restart-store": "all", "older-store": "older", "empty-store": "none" } as const;
      this.#store.comeUp(contents[what], since);
      this.#note("store comes up with", contents[what]);
      if (what !== "restart-store") this.#audit.storeReplaced();
    });
  }

  #stepClock(): void {
    const { now } = this.#timeline;
    this.#faults.add("store-clock", undefined, now, Number.POSITIVE_INFINITY);
    this.#audit.timeJumped();
    this.#store.stepClock(this.#chance.happens(0.5) ? HOUR_MS : -HOUR_MS);
  }

  /** From here on nothing goes wrong any more. */
  #becalm(): void {
    this.#calm = true;
    this.#note("calm");
    for (const { process } of [...this.#workers, ...this.#producers])
      process.crashAfterSending(UNLIMITED, () => {});
    if (this.#store.clockOffset < 0) {
      this.#audit.timeJumped();
      this.#store.stepClock(-this.#store.clockOffset);
    }
    if (!this.#workers.some(({ complete, works }) => complete && works)) this.#addWorker(true);
  }
}
