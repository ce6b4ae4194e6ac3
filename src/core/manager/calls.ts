import { expected } from "../../task/checks.js";
import { inEntry } from "../../task/in-entry.js";
import type { CallRequest, RequestedTask, WrappedCall } from "../../task/middleware.js";
import type { TaskFunction } from "../../task/task-context.js";
import type { CallChain } from "../events/call-chain.js";
import { toArguments, toCallRequest } from "./call-requests.js";
import type { EnqueueArguments } from "./context-enqueuer.js";
import type { DurableHandle } from "./durable/durable-handle.js";
import { backendMissing, type DurableIntake } from "./durable/durable-intake.js";
import type { Intake } from "./intake.js";
import type { TaskHandle } from "./task-handle.js";
import type { TaskPlanner, TaskRequest } from "./task-plan.js";

export interface CallsParts {
  readonly intake: Intake;
  readonly planner: TaskPlanner;
  /** The door for durable tasks; undefined where there is no backend. */
  readonly durable: DurableIntake | undefined;
  /** Middleware round calls; undefined where there is none. */
  readonly callChain: CallChain | undefined;
}

/**
 * The calls that bring tasks in, untyped: each is given a function and its options, or the name of a handler,
 * a payload and options. Middleware wraps them, and what it passes on is checked as anything else.
 *
 * Here and wherever each task comes by, what needs a closure has a method of its own: one that may make a
 * closure allocates what the closure would share at every call.
 */
export class Calls {
  readonly #parts: CallsParts;

  constructor(parts: CallsParts) {
    this.#parts = parts;
  }

  enqueue(first: unknown, second: unknown, third: unknown): TaskHandle {
    const { callChain } = this.#parts;
    if (callChain === undefined) return this.#enqueue(first, second, third);
    return this.#enqueueThrough(callChain, [first, second, third]);
  }

  enqueueAsync(...given: EnqueueArguments): Promise<TaskHandle> {
    return this.#promised("enqueueAsync", given, (passed) => this.#enqueueAsync(...passed));
  }

  enqueueMany(entries: unknown): TaskHandle[] {
    const { callChain } = this.#parts;
    const given = toGiven(entries);
    if (callChain === undefined) return this.#enqueueMany(given);
    const request = toCallRequest("enqueueMany", given);
    return callChain.sync(request, ({ tasks }) => this.#enqueueMany(tasks.map(toArguments)));
  }

  execute(...given: EnqueueArguments): Promise<unknown> {
    return this.#promised("execute", given, async (passed) => (await this.#enqueueAsync(...passed)).result());
  }

  async enqueueDurable(first: unknown, second: unknown, third: unknown): Promise<DurableHandle> {
    const { callChain } = this.#parts;
    if (callChain === undefined) return await this.#durable.enqueue(first, second, third);
    return await this.#enqueueDurableThrough(callChain, [first, second, third]);
  }

  async enqueueDurableMany(entries: unknown): Promise<DurableHandle[]> {
    const { callChain } = this.#parts;
    const given = toGiven(entries);
    if (callChain === undefined) return await this.#durable.enqueueAll(given);
    const request = toCallRequest("enqueueDurableMany", given);
    return await callChain.promised(request, ({ tasks }) => this.#durable.enqueueAll(tasks.map(toArguments)));
  }

  get #durable(): DurableIntake {
    const { durable } = this.#parts;
    if (durable === undefined) throw backendMissing();
    return durable;
  }

  #promised<T>(
    call: WrappedCall,
    given: EnqueueArguments,
    perform: (passed: EnqueueArguments) => Promise<T>,
  ): Promise<T> {
    const { callChain } = this.#parts;
    if (callChain === undefined) return perform(given);
    return callChain.promised(toCallRequest(call, [given]), ({ tasks }) => perform(only(tasks)));
  }

  #enqueueThrough(callChain: CallChain, given: EnqueueArguments): TaskHandle {
    const request = toCallRequest("enqueue", [given]);
    return callChain.sync(request, ({ tasks }) => this.#enqueue(...only(tasks)));
  }

  #enqueueDurableThrough(callChain: CallChain, given: EnqueueArguments): Promise<DurableHandle> {
    const request = toCallRequest("enqueueDurable", [given]);
    return callChain.promised(request, async ({ tasks }) => await this.#durable.enqueue(...only(tasks)));
  }

  #enqueue(first: unknown, second: unknown, third: unknown): TaskHandle {
    const { intake, planner } = this.#parts;
    if (isFunction(first)) return intake.accept(first, planner.plan(second));
    const { work, plan } = planner.request(first, second, third);
    return intake.accept(work, plan);
  }

  async #enqueueAsync(...[first, second, third]: EnqueueArguments): Promise<TaskHandle> {
    const { intake, planner } = this.#parts;
    if (isFunction(first)) return await intake.acceptWhenRoom(first, planner.plan(second));
    intake.refuseUnlessAccepting(); // before a schema is set to work
    const [plan, call] = planner.startRequest(first, second, third);
    const work = call instanceof Promise ? await intake.whenChecked(call, plan) : call;
    return await intake.acceptWhenRoom(work, plan);
  }

  #enqueueMany(entries: readonly (readonly unknown[])[]): TaskHandle[] {
    const requests: TaskRequest[] = [];
    try {
      for (const entry of entries) requests.push(this.#read(entry));
    } catch (error) {
      throw inEntry(error, requests.length);
    }
    return this.#parts.intake.acceptAll(requests);
  }

  #read([first, second, third]: readonly unknown[]): TaskRequest {
    const { planner } = this.#parts;
    if (isFunction(first)) return { work: first, plan: planner.plan(second) };
    return planner.request(first, second, third);
  }
}

function only(tasks: CallRequest["tasks"]): EnqueueArguments {
  const [task] = tasks;
  return toArguments(task as RequestedTask);
}

/** What was given for each of many, as arguments. */
function toGiven(entries: unknown): (readonly unknown[])[] {
  if (!Array.isArray(entries)) throw expected("entries", "an array", entries);
  return Array.from(entries, (entry: unknown) => (Array.isArray(entry) ? entry : [entry]));
}

function isFunction(value: unknown): value is TaskFunction {
  return typeof value === "function";
}
