import { expect, test } from "vitest";
import { FinishedEvent } from "../../src/task/finished-event.js";
import { MOVES } from "../../src/task/states.js";
import { newTask } from "../support/new-task.js";

function finished(value: unknown, error?: Error): FinishedEvent {
  const details = { name: "page", correlationId: "c-1", metadata: { tenant: "a" } };
  const task = newTask({ number: 7, state: "running", details });
  task.readyAt = 1;
  task.startedAt = 3;
  if (error === undefined) task.move(MOVES.running.complete);
  else task.move(MOVES.running.fail, "error");
  task.error = error;
  task.finishedAt = 7;
  return new FinishedEvent(task, value, 1_000);
}

test("the end of a task has one picture and one result, for all who look", () => {
  const event = finished("done");
  expect(event).toMatchObject({ type: "finished", value: "done" });
  const { task, result } = event;
  expect(event.task).toBe(task);
  expect(event.result).toBe(result);
  expect([Object.isFrozen(task), Object.isFrozen(result)]).toEqual([true, true]);
});

test("a result says what the picture says, and the value", () => {
  for (const event of [finished("done"), finished(undefined, new Error("broken"))]) {
    const { id, name, handler, queue, state, reason, error, attempt, metadata } = event.task;
    const { correlationId, waitMs, runMs, finishedAt } = event.task;
    expect(event.result).toEqual({
      ...{ id, name, handler, queue, state, reason, error, attempt, metadata },
      ...{ correlationId, waitMs, runMs, finishedAt, value: event.value },
    });
  }
});

test("a result has plain members: it can be copied and turned into JSON", () => {
  const { result } = finished({ pages: 2 });
  expect(JSON.parse(JSON.stringify({ ...result }))).toEqual({
    ...{ id: "p-7", name: "page", queue: "default", state: "completed", value: { pages: 2 }, attempt: 1 },
    ...{ metadata: { tenant: "a" }, correlationId: "c-1", waitMs: 2, runMs: 4, finishedAt: 1_007 },
  });
});
