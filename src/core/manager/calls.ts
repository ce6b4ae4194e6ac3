import { expected } from "../../task/checks.js";
import type { TaskFunction } from "../../task/task-context.js";
import type { Intake } from "./intake.js";
import type { TaskHandle } from "./task-handle.js";
import type { TaskPlanner, TaskRequest } from "./task-plan.js";

/**
 * The calls that bring tasks in, untyped: each is given a function and its options, or the name of a handler,
 * a payload and options.
 */
export class Calls {
  readonly #intake: Intake;
  readonly #planner: TaskPlanner;

  constructor(intake: Intake, planner: TaskPlanner) {
    this.#intake = intake;
    this.#planner = planner;
  }

  enqueue(first: unknown, second: unknown, third: unknown): TaskHandle<unknown> {
    if (isFunction(first)) return this.#intake.accept(first, this.#planner.plan(second));
    const { work, plan } = this.#planner.request(first, second, third);
    return this.#intake.accept(work, plan);
  }

  async enqueueAsync(first: unknown, second: unknown, third: unknown): Promise<TaskHandle<unknown>> {
    if (isFunction(first)) return await this.#intake.acceptWhenRoom(first, this.#planner.plan(second));
    this.#intake.refuseUnlessAccepting(); // before a schema is set to work
    const [plan, call] = this.#planner.startRequest(first, second, third);
    const work = call instanceof Promise ? await this.#intake.whenChecked(call, plan) : call;
    return await this.#intake.acceptWhenRoom(work, plan);
  }

  enqueueMany(entries: unknown): TaskHandle<unknown>[] {
    if (!Array.isArray(entries)) throw expected("entries", "an array", entries);
    return this.#intake.acceptAll(entries.map((entry: unknown) => this.#read(entry)));
  }

  async execute(first: unknown, second: unknown, third: unknown): Promise<unknown> {
    const handle = await this.enqueueAsync(first, second, third);
    return await handle.result();
  }

  #read(entry: unknown): TaskRequest {
    const [first, second, third]: readonly unknown[] = Array.isArray(entry) ? entry : [entry];
    if (isFunction(first)) return { work: first, plan: this.#planner.plan(second) };
    return this.#planner.request(first, second, third);
  }
}

function isFunction(value: unknown): value is TaskFunction {
  return typeof value === "function";
}
