import { describe, expect, it } from "vitest";
import { Lifecycle } from "../../../src/core/manager/lifecycle.js";
import { InvariantError, NotAcceptingError } from "../../../src/errors.js";
import type { Phase } from "../../../src/task/manager-stats.js";

const PHASES: readonly Phase[] = ["ready", "running", "draining", "aborting", "stopped"];

describe("Lifecycle", () => {
  it("goes forward only, phase by phase or past some", () => {
    for (const [index, from] of PHASES.entries()) {
      for (const [other, to] of PHASES.entries()) {
        const lifecycle = new Lifecycle();
        lifecycle.advance(from);
        if (other >= index) lifecycle.advance(to);
        else expect(() => lifecycle.advance(to)).toThrow(InvariantError);
        expect(lifecycle.phase).toBe(other >= index ? to : from);
      }
    }
  });

  it("accepts before a stop, starts from the start to the abort", () => {
    const lifecycle = new Lifecycle();
    const seen = PHASES.map((phase) => {
      lifecycle.advance(phase);
      return [lifecycle.accepting, lifecycle.starting];
    });
    expect(seen).toEqual([
      [true, false],
      [true, true],
      [false, true],
      [false, false],
      [false, false],
    ]);
  });

  it("starts nothing in a drain that came before the start", () => {
    const lifecycle = new Lifecycle();
    lifecycle.advance("draining");
    expect(lifecycle.starting).toBe(false);
  });

  it("refuses with what it does", () => {
    const lifecycle = new Lifecycle();
    lifecycle.refuseUnlessAccepting();
    lifecycle.advance("draining");
    expect(() => lifecycle.refuseUnlessAccepting()).toThrow(NotAcceptingError);
    expect(() => lifecycle.refuseUnlessAccepting()).toThrow("is stopping");
    lifecycle.advance("stopped");
    expect(() => lifecycle.refuseUnlessAccepting()).toThrow("has stopped");
  });

  it("knows its own refusals, and no others", () => {
    const [lifecycle, other] = [new Lifecycle(), new Lifecycle()];
    const refusal = lifecycle.toRefusal("no more");
    expect(refusal).toBeInstanceOf(NotAcceptingError);
    expect(lifecycle.hasRefused(refusal)).toBe(true);
    expect(lifecycle.hasRefused(new Error("wrapped", { cause: refusal }))).toBe(true);
    expect(other.hasRefused(refusal)).toBe(false);
    for (const thrown of [undefined, null, "text", 1, {}, new NotAcceptingError("no more")])
      expect(lifecycle.hasRefused(thrown)).toBe(false);
  });

  it("keeps its limits unless it is given others, and never puts its end off", () => {
    const lifecycle = new Lifecycle();
    expect([lifecycle.lastStartAt, lifecycle.endAt]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
    ]);
    lifecycle.advance("draining", 90, 100);
    expect([lifecycle.lastStartAt, lifecycle.endAt]).toEqual([90, 100]);
    lifecycle.advance("aborting", Number.NEGATIVE_INFINITY, 150);
    expect([lifecycle.lastStartAt, lifecycle.endAt]).toEqual([Number.NEGATIVE_INFINITY, 100]);
    lifecycle.advance("stopped");
    expect(lifecycle.endAt).toBe(100);
  });
});
