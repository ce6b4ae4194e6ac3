import { describe, expect, it } from "vitest";
import { tellIssues, toIssueList } from "../../src/task/issues.js";

const one = (issue: unknown) => toIssueList("payload", [issue]).issues[0];
const fails = (): never => {
  throw new Error("hostile");
};

describe("toIssueList", () => {
  it("tells where an issue is, in all forms that a path can have", () => {
    const path = ["to", 3, "at", { key: "name" }, "with space", "4", "a\nb", ""];
    expect(one({ message: "wrong", path })).toEqual({
      message: "wrong",
      path: 'payload.to[3].at.name["with space"][4]["a\\nb"][""]',
    });
    expect(one({ message: "wrong" })).toEqual({ message: "wrong", path: "payload" });
    expect(one({ message: "wrong", path: [Symbol("s")] })?.path).toBe('payload["Symbol(s)"]');
    for (const junk of ["to", 5, null, {}]) expect(one({ message: "a", path: junk })?.path).toBe("payload");
  });

  it("keeps the first hundred and counts the others", () => {
    const many = Array.from({ length: 250 }, (_, index) => ({ message: `issue ${index}` }));
    const list = toIssueList("payload", many);
    expect([list.issues.length, list.omittedIssues]).toEqual([100, 150]);
    expect(list.issues[99]?.message).toBe("issue 99");
    expect(tellIssues(list)).toBe("payload: issue 0; payload: issue 1; payload: issue 2; and 247 more");
    expect(toIssueList("payload", many.slice(0, 100)).omittedIssues).toBe(0);
  });

  it("cuts long messages and paths", () => {
    const issue = one({ message: "x".repeat(1e6), path: Array(1_000).fill("y".repeat(1_000)) });
    expect(issue?.message).toHaveLength(500);
    expect(issue?.path).toHaveLength(200);
    expect(issue?.message.endsWith("…")).toBe(true);
    const exact = one({ message: "x".repeat(500) });
    expect(exact?.message).toBe("x".repeat(500));
  });

  it("does not choke on what a schema may say: it tells that it cannot be read", () => {
    const getter = Object.defineProperty({}, "message", { get: fails });
    for (const junk of [
      null,
      undefined,
      getter,
      { message: { toString: fails } },
      { message: Object.create(null) },
    ])
      expect(one(junk)).toEqual({ message: "an issue that cannot be read", path: "payload" });
    const endless = new Proxy([], { get: (_, key) => (key === "length" ? 1e12 : { message: "again" }) });
    expect(toIssueList("payload", endless)).toMatchObject({ omittedIssues: 1e12 - 100 });
    const throwing = new Proxy([], { get: fails });
    const none = { issues: [{ message: "refused without a reason", path: "payload" }], omittedIssues: 0 };
    expect(toIssueList("payload", throwing)).toEqual(none);
    expect(toIssueList("payload", [])).toEqual(none);
  });

  it("is frozen through and through", () => {
    const { issues } = toIssueList("payload", [{ message: "a" }]);
    expect([Object.isFrozen(issues), Object.isFrozen(issues[0])]).toEqual([true, true]);
  });
});
