import type { Schema, SchemaResult } from "../../src/index.js";

/** A schema that does what a test says; it may throw, or answer with anything. */
export function answering<In = unknown, Out = In>(validate: (value: In) => unknown): Schema<In, Out> {
  return { "~standard": { version: 1, vendor: "test", validate } } as Schema<In, Out>;
}

/** A schema that answers when a test says so. */
export class LateSchema<T> implements Schema<T> {
  /** What it was given and has not answered, in order. */
  readonly asked: { readonly value: unknown; readonly answer: (result: SchemaResult<T>) => void }[] = [];

  readonly "~standard": Schema<T>["~standard"] = {
    version: 1,
    vendor: "test",
    validate: (value: unknown) =>
      new Promise<SchemaResult<T>>((answer) => this.asked.push({ value, answer })),
  };

  /** Lets the first value pass that waits for its answer. */
  pass(): void {
    const first = this.asked.shift();
    first?.answer({ value: first.value as T });
  }

  refuse(message: string): void {
    this.asked.shift()?.answer({ issues: [{ message }] });
  }
}
