import { describe, expect, test } from "vitest";
import { failureCode, failureRule, toStoreError } from "../../../src/adapters/redis/redis-failures.js";
import { StoreUnreachableError } from "../../../src/store-errors.js";

const told: readonly (readonly [message: string, name: string, reconnects: boolean])[] = [
  ["READONLY You can't write against a read only replica.", "StoreUnreachableError", true],
  [
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "StoreUnreachableError",
    true,
  ],
  ["UNBLOCKED force unblock from blocking operation", "StoreUnreachableError", true],
  ["LOADING Redis is loading the dataset in memory", "StoreUnreachableError", false],
  ["BUSY Redis is busy running a script.", "StoreUnreachableError", false],
  ["NOREPLICAS Not enough good replicas to write.", "StoreUnreachableError", false],
  ["MISCONF Redis is configured to save RDB snapshots", "StoreUnreachableError", false],
  ["TRYAGAIN Multiple keys request during rehashing of slot", "StoreUnreachableError", false],
  ["CLUSTERDOWN Hash slot not served", "StoreUnreachableError", false],
  ["MOVED 3999 127.0.0.1:6381", "StoreUnreachableError", true],
  ["NOSCRIPT No matching script.", "StoreUnreachableError", false],
  ["OOM command not allowed when used memory > 'maxmemory'.", "StoreFullError", false],
  ["NOAUTH Authentication required.", "StoreRefusedError", false],
  ["WRONGPASS invalid username-password pair or user is disabled.", "StoreRefusedError", false],
  ["NOPERM this user has no permissions to run the 'evalsha' command", "StoreRefusedError", false],
  ["CROSSSLOT Keys in request don't hash to the same slot", "StoreRefusedError", false],
  [
    "ERR The user executing the script can't run this command or subcommand script: 1, on @user_script:3.",
    "StoreRefusedError",
    false,
  ],
  ["WHATEVER comes with a later version", "StoreUnreachableError", false],
  ["ERR unknown", "StoreUnreachableError", false],
  ["connect ECONNREFUSED 127.0.0.1:6379", "StoreUnreachableError", false],
];

describe("errors of Redis (F11)", () => {
  test.each(told)("%s", (message, name, reconnects) => {
    const error = new Error(message);
    expect(toStoreError(error)).toMatchObject({ name, cause: error });
    expect(failureRule(error).reconnects).toBe(reconnects);
  });

  test("stay what they are where they are ours already", () => {
    const ours = new StoreUnreachableError("it did not answer");
    expect(toStoreError(ours)).toBe(ours);
  });

  test("take no payload and no password along", () => {
    const error = Object.assign(
      new Error("ERR unknown command 'EVALSHA', with args beginning with: 'hunter2' "),
      {
        command: { name: "evalsha", args: ["hunter2"] },
      },
    );
    const ours = toStoreError(error);
    const cause = ours.cause as Error & { command?: unknown };
    expect(JSON.stringify([ours.message, cause.message, cause.stack, cause.command])).not.toContain(
      "hunter2",
    );
    expect(cause.message).toBe("ERR unknown command 'EVALSHA'");
  });

  test("are met whatever was thrown", () => {
    for (const strange of [undefined, null, "x", 3, {}, new Error("")]) {
      expect(failureCode(strange)).toBeUndefined();
      expect(toStoreError(strange)).toBeInstanceOf(StoreUnreachableError);
    }
  });
});
