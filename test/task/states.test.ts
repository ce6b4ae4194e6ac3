import { describe, expect, it } from "vitest";
import { InvariantError } from "../../src/errors.js";
import { GroupTally } from "../../src/task/group-tally.js";
import { BUILT_IN_SETTINGS } from "../../src/task/settings.js";
import {
  isTerminal,
  MOVES,
  type Move,
  moveFrom,
  type TaskState,
  type TaskTransition,
} from "../../src/task/states.js";
import { Task } from "../../src/task/task.js";
import { TaskIds } from "../../src/task/task-ids.js";

const STATES: readonly TaskState[] = ["scheduled", "queued", "running", "completed", "failed", "cancelled"];
const TRANSITIONS: readonly TaskTransition[] = ["schedule", "queue", "start", "complete", "fail", "cancel"];

/** The table once more, written from DESIGN.md: each line is a move that exists. All others must throw. */
const LEGAL = new Set([
  "scheduled --queue--> queued", // its time has come
  "scheduled --fail--> failed", // its deadline has passed
  "scheduled --cancel--> cancelled",
  "queued --start--> running",
  "queued --fail--> failed", // its deadline has passed
  "queued --cancel--> cancelled",
  "running --schedule--> scheduled", // backoff, or asked for by the handler
  "running --queue--> queued", // the same, without a delay
  "running --complete--> completed",
  "running --fail--> failed",
  "running --cancel--> cancelled",
]);

const newTask = (state: "scheduled" | "queued" = "queued") =>
  new Task({
    profile: {
      ...{
        ids: new TaskIds("p-"),
        queue: "default",
        handler: undefined,
        lane: "inline" as const,
        settings: BUILT_IN_SETTINGS,
      },
      tally: new GroupTally("default", undefined),
    },
    ...{ number: 1, work: () => undefined, order: 0, details: undefined, enqueuedAt: 0, state },
  });

/** A task that was brought into a state by legal moves. */
function taskIn(state: TaskState): Task {
  const task = newTask(state === "scheduled" ? "scheduled" : "queued");
  if (state === "scheduled" || state === "queued") return task;
  task.move(MOVES.queued.start);
  if (state === "completed") task.move(MOVES.running.complete);
  if (state === "failed") task.move(MOVES.running.fail);
  if (state === "cancelled") task.move(MOVES.running.cancel);
  return task;
}

describe("the transition table, state by move", () => {
  for (const state of STATES) {
    for (const transition of TRANSITIONS) {
      const legal = [...LEGAL].find((line) => line.startsWith(`${state} --${transition}-->`));
      const to = legal?.split("--> ")[1];
      it(to === undefined ? `a ${state} task must not ${transition}` : `${legal}`, () => {
        const task = taskIn(state);
        if (to === undefined) {
          expect(() => moveFrom(state, transition)).toThrow(InvariantError);
          expect(() => moveFrom(state, transition)).toThrow(`a ${state} task must not ${transition}`);
          expect([task.state, task.reason]).toEqual([state, undefined]);
        } else {
          const move = moveFrom(state, transition);
          expect(move).toEqual({ from: state, transition, to });
          task.move(move, "error");
          expect([task.state, task.reason]).toEqual([to, "error"]);
        }
      });
    }
  }

  it("has no states or moves beside these", () => {
    expect(Object.keys(MOVES)).toEqual([...STATES]);
    const moves = Object.values(MOVES).flatMap((row): Move[] => Object.values(row));
    expect(moves.length).toBe(LEGAL.size);
    expect(moves.every(({ transition }) => TRANSITIONS.includes(transition))).toBe(true);
  });

  it("calls terminal exactly the states without a way out", () => {
    for (const state of STATES) {
      expect(isTerminal(state)).toBe(Object.keys(MOVES[state]).length === 0);
    }
  });

  it("refuses a move by who believes the task elsewhere, even a legal one", () => {
    for (const state of STATES) {
      for (const believed of STATES) {
        if (believed === state) continue;
        for (const move of Object.values(MOVES[believed]) as Move[]) {
          const task = taskIn(state);
          expect(() => task.move(move)).toThrow(InvariantError);
          expect(task.state).toBe(state);
        }
      }
    }
  });

  it("forgets a reason with the next move", () => {
    const task = taskIn("running");
    task.move(MOVES.running.schedule, "backoff");
    expect(task.reason).toBe("backoff");
    task.move(MOVES.scheduled.queue);
    expect(task.reason).toBeUndefined();
  });
});
