import { getEventListeners } from "node:events";
import { MillraceError } from "../../src/errors.js";
import type { ModelTask } from "./entry.js";
import { goesBefore } from "./entry.js";
import type { Run } from "./run.js";
import { QUEUES } from "./steps.js";

/** What the ledger and the manager must agree on whenever nothing more happens by itself. */
export function checkNow(run: Run): void {
  checkStates(run);
  checkOverdue(run);
  checkWakeUps(run);
  checkRoom(run);
  checkStats(run);
  checkQueues(run);
  checkHealth(run);
  checkRegistry(run);
  checkListeners(run);
  checkPromises(run);
}

function checkStates(run: Run): void {
  for (const task of run.ledger.tasks) {
    if (task.handle === undefined) continue;
    const { name, handle, state } = task;
    if (handle.state !== state) run.assert(false, `${name} is ${state}, found ${handle.state}`);
  }
}

/** What must have happened by now has. */
function checkOverdue(run: Run): void {
  const { ledger, now } = run;
  for (const task of ledger.live) {
    const { name, state, readyAt, expiresAt } = task;
    run.assert(state !== "requeued", `${name} is queued again after its attempt`);
    run.assert(state !== "scheduled" || readyAt > now, `${name} was due at ${readyAt} and is queued`);
    run.assert(state === "running" || expiresAt > now, `${name} has ended at its deadline, ${expiresAt}`);
    const lost = ledger.stopAbortedAt !== undefined && state !== "running";
    run.assert(!lost, `${name} was cancelled by the stop`);
    run.assert(task.cancelledFor === undefined || state === "running", `${name} was cancelled`);
  }
  for (const { name, live } of ledger.stop?.hopeless ?? [])
    run.assert(!live, `${name} was too late for the stop`);
  for (const attempt of ledger.running) {
    const { name } = attempt.entry;
    run.assert(attempt.ended === undefined, `the attempt of ${name} has been concluded`);
    const giveUpAt = ledger.giveUpAt(attempt);
    run.assert(giveUpAt > now, `${name} was given up at ${giveUpAt}`);
    if (ledger.stop !== undefined)
      run.assert(attempt.seesStopping?.() ?? true, `${name} is told of the stop`);
  }
}

/** Never together: a free slot, an eligible task, and permits for it (L9). */
function checkWakeUps(run: Run): void {
  const { ledger, now } = run;
  if (!ledger.started || ledger.stopAbortedAt !== undefined) return;
  if (ledger.concurrency - ledger.running.size - ledger.held <= 0) return;
  const heads: ModelTask[] = [];
  for (const queue of QUEUES) {
    const head = ledger.queued(queue).sort((one, other) => (goesBefore(one, other) ? -1 : 1))[0];
    if (head === undefined || !ledger.isOpen(queue)) continue;
    if (ledger.queueLimits.get(queue)?.mayHave(head.shape.cost, now) ?? true) heads.push(head);
  }
  const hasOwn = ({ queue, shape }: ModelTask) =>
    ledger.queueLimits.get(queue)?.surelyHas(shape.cost, now) ?? true;
  // Which of several heads is next is for the shares to say: one is late only when each has its permits.
  const startable =
    heads.some(hasOwn) && heads.every(({ shape }) => ledger.shared.surelyHas(shape.cost, now));
  run.assert(!startable, `${heads[0]?.name} has started, having a slot and permits`);
}

function checkRoom(run: Run): void {
  const { ledger } = run;
  const room = ledger.settings.capacity - ledger.waiting;
  run.assert(ledger.line.length === 0 || room <= 0, "nobody waits for room while there is some");
  run.assert(ledger.victims.length === 0, "whoever had to make room was dropped");
}

function checkStats(run: Run): void {
  const { ledger, now } = run;
  const stats = run.tasks.stats();
  const live = [...ledger.live];
  const count = (wanted: (task: ModelTask) => boolean) => live.filter(wanted).length;
  const same = (found: unknown, expected: unknown, what: string) => {
    if (!Object.is(found, expected)) run.assert(false, `stats say ${what} is ${found}, expected ${expected}`);
  };
  same(
    stats.queued,
    count(({ state }) => state === "queued"),
    "queued",
  );
  same(
    stats.scheduled,
    count(({ state }) => state === "scheduled"),
    "scheduled",
  );
  same(
    stats.backingOff,
    count(({ backingOff }) => backingOff),
    "backingOff",
  );
  same(stats.running, ledger.running.size, "running");
  same(stats.waitingForRoom, ledger.line.length, "waitingForRoom");
  same(stats.retained, ledger.retained.length, "retained");
  same(stats.observerErrors, 0, "observerErrors");
  same(stats.paused, ledger.hasPause(undefined), "paused");
  const stopPhase = ledger.stopAbortedAt === undefined ? "draining" : "aborting";
  const livePhase = ledger.stop === undefined ? (ledger.started ? "running" : "ready") : stopPhase;
  same(stats.phase, ledger.stopped ? "stopped" : livePhase, "phase");
  for (const [what, expected] of Object.entries(ledger.counts)) {
    const found = stats.total[what as keyof typeof ledger.counts];
    const slack = what === "timedOut" ? ledger.maybeTimedOut : 0;
    if (found < expected || found > expected + slack) same(found, expected, `total.${what}`);
  }
  const { inline } = stats.lanes;
  same(inline.concurrency, ledger.concurrency, "concurrency");
  same(inline.running, ledger.running.size, "lane.running");
  same(inline.abandoned, ledger.abandoned.size, "abandoned");
  same(inline.held, ledger.held, "held");
  same(inline.free, Math.max(0, ledger.concurrency - ledger.running.size - ledger.held), "free");
  same(stats.limiter.tasksPerSecond, ledger.shared.tasksPerSecond, "tasksPerSecond");
  same(stats.limiter.burst, ledger.shared.burst, "burst");
  same(stats.limiter.closedForMs, ledger.shared.closedForMs(now), "closedForMs");
  const expected = ledger.shared.available(now);
  const off = stats.limiter.available === expected ? 0 : Math.abs(stats.limiter.available - expected);
  run.assert(!(off > 1e-6), `stats say ${stats.limiter.available} permits are there`);
}

function checkQueues(run: Run): void {
  const { ledger } = run;
  const { queues } = run.tasks.stats();
  for (const queue of QUEUES) {
    const found = queues[queue];
    const configured = queue === "default" || queue === "wide" || queue === "narrow";
    const queued = ledger.queued(queue).length;
    const running = ledger.runningOf(queue);
    const paused = ledger.hasPause(queue);
    const needed = configured || queued > 0 || running > 0 || paused;
    run.assert(found !== undefined || !needed, `the queue ${queue} is known`);
    if (found === undefined) continue;
    const right = found.queued === queued && found.running === running && found.paused === paused;
    const text = JSON.stringify({ queued, running, paused });
    run.assert(right, `the queue ${queue} has ${text}, found ${JSON.stringify(found)}`);
    if (!configured) continue;
    const expected = ledger.queueCounts.get(queue) ?? { completed: 0, failed: 0, cancelled: 0, retried: 0 };
    for (const what of ["completed", "failed", "cancelled", "retried"] as const) {
      run.assert(
        found[what] === expected[what],
        `${queue} has ${expected[what]} ${what}, found ${found[what]}`,
      );
    }
  }
}

function checkHealth(run: Run): void {
  const { ledger, now } = run;
  const { oldestWaitMs, concerns, status } = run.tasks.health();
  const oldest = ledger.oldest()[0];
  const expected = oldest === undefined ? 0 : now - oldest.readyAt;
  run.assert(
    Math.abs(oldestWaitMs - expected) < 1e-6,
    `the oldest has waited ${expected} ms, not ${oldestWaitMs}`,
  );
  run.assert(concerns.includes("abandoned-holding-slots") === ledger.held > 0, "held slots are a concern");
  const isClosed = ledger.shared.closedForMs(now) > 0;
  run.assert(concerns.includes("rate-limited") === isClosed, "a limit that was met is a concern");
  const works = ledger.started && ledger.stop === undefined && !ledger.hasPause(undefined);
  const well = works && ledger.held === 0 && !isClosed;
  run.assert((status === "ok") === well, `the status is not ${status}`);
}

function checkRegistry(run: Run): void {
  const { ledger } = run;
  const expected = ledger.live.size + ledger.retained.length;
  const { size } = run.tasks.core.registry;
  run.assert(size === expected, `the registry holds ${expected}, found ${size}`);
  for (const task of [...ledger.live, ...ledger.retained]) {
    if (task.id === undefined) continue;
    const found = run.tasks.core.registry.get(task.id);
    run.assert(found?.details?.name === task.name, `the registry finds ${task.name} by its id`);
  }
}

/** One listener on a signal for all tasks and calls that have it, and none when nobody has. */
function checkListeners(run: Run): void {
  const { ledger } = run;
  for (const signal of run.usedSignals) {
    if (signal.aborted) continue;
    const expected = [...ledger.live, ...ledger.line].some((task) => task.signal === signal) ? 1 : 0;
    const found = getEventListeners(signal, "abort").length;
    run.assert(found === expected, `a signal has ${expected} listeners, found ${found}`);
  }
}

function checkPromises(run: Run): void {
  for (const { what, state, due } of run.promises) {
    if (state === "pending") run.assert(due === undefined || !due(), `${what} has been settled`);
  }
}

/** After the last stop: every promise is settled, and rightly; nothing is left. */
export function checkEnd(run: Run): void {
  const { ledger } = run;
  run.assert(ledger.live.size === 0, "no task is left after a stop");
  for (const { what, state, outcome, task } of run.promises) {
    run.assert(state !== "pending", `${what} is settled after a stop (I9)`);
    if (task !== undefined) checkResult(run, what, state, outcome, task);
  }
  checkReport(run);
  run.assert(run.clock.timers === 0, `${run.clock.timers} timers are left`);
  for (const signal of run.usedSignals) {
    run.assert(getEventListeners(signal, "abort").length === 0, "no listener is left on a signal");
  }
  run.assert(run.tasks.core.registry.size === run.tasks.core.retention.size, "only retained tasks are known");
  const { enqueued, completed, failed, cancelled } = run.tasks.stats().total;
  run.assert(enqueued === completed + failed + cancelled, "every accepted task has ended once");
}

function checkResult(run: Run, what: string, state: string, outcome: unknown, task: ModelTask): void {
  const late = outcome instanceof MillraceError && outcome.code === "MILLRACE_RESULT_TIMEOUT";
  if (late) return;
  const right =
    task.state === "completed" ? state === "resolved" && outcome === task.value : state === "rejected";
  run.assert(right, `${what} is ${state} with ${String(outcome)}, but the task is ${task.state}`);
}

function checkReport(run: Run): void {
  const expected = run.ledger.stop?.report;
  const { report } = run;
  if (report === undefined || expected === undefined) {
    run.assert(false, "a stop gives its report");
    return;
  }
  for (const [what, count] of Object.entries(expected)) {
    const found = report[what as keyof typeof expected];
    run.assert(found === count, `the report says ${what} is ${found}, expected ${count}`);
  }
  const { alive, completed, failed, cancelled, interrupted, abandoned, neverStarted } = report;
  const sum = completed + failed + cancelled + interrupted + abandoned + neverStarted;
  run.assert(alive === sum, "the report is a partition of the tasks that were alive");
}
