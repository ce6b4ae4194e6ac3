import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import type { BenchCase } from "../bench-case.js";
import { createTaskManager, defineHandlers, json } from "../millrace.js";

const TASKS = 200_000;

const handlers = defineHandlers({
  echo: { payload: json<{ value: number }>(), run: async ({ value }) => value },
});

type Tasks = ReturnType<typeof create>;
const create = () => createTaskManager(handlers);

async function rate(enqueue: (tasks: Tasks, value: number) => Promise<number>): Promise<number> {
  const tasks = create();
  const results: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < TASKS; index += 1) results.push(enqueue(tasks, index));
  const values = await Promise.all(results);
  const elapsedMs = performance.now() - startedAt;
  const sum = values.reduce((total, value) => total + value, 0);
  assert.equal(sum, (TASKS * (TASKS - 1)) / 2);
  await tasks.stopGraceful();
  return (TASKS / elapsedMs) * 1_000;
}

/** Either way a task is told its number: by a payload that is checked, or by a closure. */
const byName = (tasks: Tasks, value: number) => tasks.enqueue("echo", { value }).result();
const byFunction = (tasks: Tasks, value: number) => tasks.enqueue(async () => value).result();

export const handlersByName: BenchCase = {
  name: "handlers",
  what: "200,000 no-op async tasks by the name of a handler with json<T>(), every result awaited",
  unit: "tasks/s",
  better: "higher",
  rounds: 11,
  contestants: [
    { name: "millrace", run: () => rate(byName) },
    { name: "millrace@function", run: () => rate(byFunction) },
  ],
  goals: [{ of: "millrace", to: "millrace@function", floor: 0.8, aim: 0.95 }],
};
