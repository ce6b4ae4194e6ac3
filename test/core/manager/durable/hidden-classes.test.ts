import { describe, expect, it } from "vitest";
import { defineHandlers, fixed, json, memoryBackend, TaskManager } from "../../../../src/index.js";
import type { Backend } from "../../../../src/ports/backend.js";
import { countHiddenClasses } from "../../../support/hidden-class.js";

const TASKS = 200;

/** What is asked of a backend, and what it gives, one task at a time. */
class Recording {
  readonly claimed: object[] = [];
  readonly acks: object[] = [];
  readonly nacks: object[] = [];
  readonly letters: object[] = [];

  of(backend: Backend): Backend {
    return {
      signals: backend.signals,
      inspector: backend.inspector,
      enqueue: (id, tasks) => backend.enqueue(id, tasks),
      claim: async (request) => {
        const answer = await backend.claim(request);
        this.claimed.push(...answer.tasks);
        return answer;
      },
      extend: (extensions) => backend.extend(extensions),
      ack: (ends) => {
        this.acks.push(...ends);
        return backend.ack(ends);
      },
      nack: (returns) => {
        this.nacks.push(...returns);
        return backend.nack(returns);
      },
      deadLetter: (ends) => {
        this.letters.push(...ends);
        return backend.deadLetter(ends);
      },
      cancel: (cancellations) => backend.cancel(cancellations),
      close: () => backend.close(),
    };
  }
}

async function runAll(run: (payload: { n: number }) => unknown): Promise<Recording> {
  const recording = new Recording();
  const handlers = defineHandlers({
    count: { payload: json<{ n: number }>(), run, maxAttempts: 2, backoff: fixed({ delayMs: 1 }) },
  });
  const tasks = new TaskManager({ handlers, backend: recording.of(memoryBackend()) });
  const calls = Array.from({ length: TASKS }, (_, n) => ["count", { n }] as const);
  const handles = await tasks.enqueueDurableMany(calls);
  await Promise.allSettled(handles.map((handle) => handle.result()));
  await tasks.stopNow();
  return recording;
}

describe("what is made for each durable task has one hidden class for all", () => {
  it("where handlers return", async () => {
    const { acks, claimed } = await runAll(({ n }) => n);
    expect([claimed.length, acks.length]).toEqual([TASKS, TASKS]);
    expect([countHiddenClasses(claimed), countHiddenClasses(acks)]).toEqual([1, 1]);
  });

  it("where they fail, at first and for good", async () => {
    const { letters, nacks } = await runAll(({ n }) => {
      throw new Error(`${n} is refused`);
    });
    expect([nacks.length, letters.length]).toEqual([TASKS, TASKS]);
    expect([countHiddenClasses(nacks), countHiddenClasses(letters)]).toEqual([1, 1]);
  });
});
