import { channel } from "node:diagnostics_channel";
import { describe, expect, onTestFinished, test } from "vitest";
import { TaskChannels } from "../../src/adapters/diagnostics/task-channels.js";
import { ManagerLog } from "../../src/adapters/logging/manager-log.js";
import { instrument } from "../../src/adapters/otel/index.js";
import { instrumentation } from "../../src/ports/instrumentation.js";
import type { WorkerExitReason } from "../../src/task/worker-details.js";
import { LogRecorder } from "../support/log-recorder.js";
import { createThreaded } from "../support/threaded-manager.js";
import { TraceSdk } from "../support/traced-manager.js";

describe("the log of a manager with worker threads", () => {
  const exited = (reason: WorkerExitReason, error?: Error) => ({
    ...{ worker: "w-1", threadId: 1, reason, exitCode: 1, error, attempts: 3, aliveMs: 900 },
  });

  const logged = () => {
    const manager = createThreaded();
    const log = new LogRecorder();
    new ManagerLog(log, manager[instrumentation](), manager.core.shutdown);
    return { log, host: manager.pool.host, clock: manager.clock };
  };

  test("has one line in ten seconds for threads that were lost", async () => {
    const { log, host, clock } = logged();
    host.workerExited(exited("exited", new RangeError("not told")));
    host.workerExited(exited("out-of-memory"));
    await clock.advance(9_000);
    host.workerExited(exited("killed"));
    host.workerExited(exited("start-failed"));
    await clock.advance(2_000);
    host.workerExited(exited("load-failed"));
    await clock.settle();
    const text = "worker threads lost";
    expect(log.entries).toEqual([
      ["warn", text, { worker: "w-1", reason: "exited", errorType: "RangeError", count: 1 }],
      ["warn", text, { worker: "w-1", reason: "load-failed", count: 4 }],
    ]);
  });

  test.each<WorkerExitReason>(["idle", "resized", "task-count", "heap", "late-fault", "stopped"])(
    "has none for one that ended for %s",
    async (reason) => {
      const { log, host, clock } = logged();
      host.workerExited(exited(reason));
      host.workerStarted({ worker: "w-2", threadId: 2, startMs: 30 });
      await clock.settle();
      expect(log.entries).toEqual([]);
    },
  );

  test("tells of late faults, and never the text of their errors", async () => {
    const { log, host, clock } = logged();
    const error = new TypeError("a secret");
    host.lateFault({ worker: "w-1", id: "a", handler: "hash", queue: "default", error });
    await clock.advance(10_000);
    host.lateFault({ worker: "w-1", id: undefined, handler: undefined, queue: undefined, error });
    await clock.settle();
    const text = "late faults of finished tasks";
    const fields = { worker: "w-1", errorType: "TypeError", count: 1 };
    expect(log.entries).toEqual([
      ["warn", text, { ...fields, task: "a", handler: "hash", queue: "default" }],
      ["warn", text, fields],
    ]);
  });
});

describe("an attempt that came back", () => {
  test("has ended for who traces: its span, and the one of the attempt after it", async () => {
    const sdk = new TraceSdk().register();
    const manager = createThreaded();
    const instrumented = instrument(manager);
    onTestFinished(() => instrumented[Symbol.dispose]());
    manager.enqueue(1);
    await manager.clock.advance(0);
    manager.core.dispatcher.pause();
    manager.pool.handBack(1);
    const outcomes = () => sdk.attempts.map(({ attributes }) => attributes["millrace.outcome"]);
    expect(outcomes()).toEqual(["handed-back"]);
    manager.core.dispatcher.resume();
    await manager.clock.advance(0);
    manager.pool.end(1);
    expect(outcomes()).toEqual(["handed-back", "completed"]);
  });

  test("has ended for who listens to the channels, without an error", async () => {
    const manager = createThreaded();
    const point = manager[instrumentation]();
    point.attach(new TaskChannels(point));
    const moments: string[] = [];
    for (const moment of ["start", "asyncEnd", "error"]) {
      const told = channel(`tracing:millrace:attempt:${moment}`);
      const listener = () => moments.push(moment);
      told.subscribe(listener);
      onTestFinished(() => void told.unsubscribe(listener));
    }
    manager.enqueue(1);
    await manager.clock.advance(0);
    manager.core.dispatcher.pause();
    manager.pool.handBack(1);
    expect(moments).toEqual(["start", "asyncEnd"]);
    manager.core.dispatcher.resume();
    await manager.clock.advance(0);
    manager.pool.end(1);
    expect(moments).toEqual(["start", "asyncEnd", "start", "asyncEnd"]);
  });
});
