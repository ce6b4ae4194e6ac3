import assert from "node:assert/strict";
import { QueueFullError } from "../../errors.js";
import type { EnqueueFromHandler } from "../../task/task-context.js";
import type { ExecutorRule } from "./executor-rule.js";

const TOLD = {
  ...{ id: "of-its-own", name: "label", queue: "files", priority: -5, attempt: 2, maxAttempts: 4 },
  metadata: { tenant: "a" },
  correlationId: "c-1",
};

const UNTOLD = {
  ...{ id: "of-its-own", name: undefined, queue: "default", priority: 0, attempt: 1, maxAttempts: 1 },
  metadata: {},
  correlationId: undefined,
};

/** What a handler is given beside its payload, but for its signals. */
export const CONTEXT_RULES: readonly ExecutorRule[] = [
  {
    name: "gives a handler a context that says what its attempt is",
    async check(trial) {
      for (const told of [TOLD, UNTOLD, TOLD]) {
        const locals = Object.assign(Object.create(null), told === TOLD ? { user: { name: "u" } } : {});
        const value = await trial.value("tellContext", undefined, { context: { ...told, locals } });
        assert.deepEqual(value, {
          ...{ handler: "tellContext", ...told, locals: { ...locals } },
          ...{ sameLocals: true, bareLocals: true },
        });
      }
    },
  },
  {
    name: "brings progress out in its order, the first and the last of it at least, before the end",
    async check(trial) {
      const attempt = trial.run("report", [1, { two: 2 }, 3]);
      await trial.end(attempt);
      const { reports, reportsAtEnd } = attempt;
      assert.deepEqual([reports[0], reports.at(-1)], [1, 3]);
      assert(reports.length === reportsAtEnd, "some of it came after the end");
      if (reports.length > 2) assert.deepEqual(reports, [1, { two: 2 }, 3]);
    },
  },
  {
    name: "bears progress that cannot be copied",
    async check(trial) {
      assert.equal(await trial.value("reportFunction"), "reported");
      await trial.worksOn();
    },
  },
  {
    name: "lets a handler enqueue, and tells it of the task",
    async check(trial) {
      const heard: unknown[] = [];
      const enqueue: EnqueueFromHandler = async (...given: readonly unknown[]) => {
        heard.push(given);
        return { id: "held", duplicate: true };
      };
      const told = await trial.value("enqueueOne", { a: 1 }, { context: { enqueue } });
      assert.deepEqual(told, { id: "held", duplicate: true });
      assert.deepEqual(heard, [["next", { a: 1 }, { priority: 3 }]]);
    },
  },
  {
    name: "tells a handler what its enqueue was refused with, as the error that it is",
    async check(trial) {
      const enqueue: EnqueueFromHandler = async () => {
        throw new QueueFullError("no room", 3);
      };
      const told = await trial.value("enqueueRefused", 1, { context: { enqueue } });
      const { ours, code, message } = told as Readonly<Record<string, unknown>>;
      assert.deepEqual([ours, code, message], [true, "MILLRACE_QUEUE_FULL", "no room"]);
      const thrown = await trial.thrown("enqueueAndThrow", 1, { context: { enqueue } });
      assert(thrown instanceof QueueFullError && thrown.capacity === 3, "it came back as something else");
    },
  },
];
