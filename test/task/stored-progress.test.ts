import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeProgress, encodeProgress } from "../../src/task/stored-progress.js";

const comesBack = (value: unknown) => decodeProgress(encodeProgress(value));

describe("progress", () => {
  it("is stored as JSON, and comes back as it was", () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 5 }), fc.constant(JSON.parse('[{"__proto__":1}]')));
    fc.assert(
      fc.property(value, (each) => {
        // Of a key that would set a prototype is told instead: the other one is a `prototype` in a `constructor`.
        const text = JSON.stringify(each);
        if (text.includes('"prototype":')) return;
        if (text.includes('"__proto__":'))
          expect(comesBack(each)).toMatch(/^\[progress.*: a key that would .*\]$/);
        else expect(comesBack(each)).toStrictEqual(each);
      }),
    );
    expect(comesBack(undefined)).toBeUndefined();
  });

  it("is nothing where none was told", () => {
    expect(decodeProgress(undefined)).toBeUndefined();
  });

  it("is a short text where it cannot be stored, whatever it is (Z4, Z5)", () => {
    const hostile = new Proxy([], {
      get: () => {
        throw new Error("never");
      },
    });
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const key = "k".repeat(60_000);
    const values = [1n, new Map(), new Error("x"), Promise.resolve(1), hostile, revoked.proxy, { [key]: 1n }];
    for (const value of [...values, "é".repeat(40_000)]) {
      const text = comesBack(value);
      expect(text).toMatch(/^\[progress.*\]$/);
      expect(String(text).length).toBeLessThan(1_000);
    }
  });

  it("never throws, whatever the store has (Z5, V12)", () => {
    const junk = [new Uint8Array([255]), new Uint8Array(70_000), "text", 5, {}, null];
    for (const bytes of junk) expect(decodeProgress(bytes as Uint8Array)).toMatch(/^\[progress: .*\]$/);
    fc.assert(fc.property(fc.uint8Array(), (bytes) => void decodeProgress(bytes)));
    expect(decodeProgress(new TextEncoder().encode('{"__proto__":1}'))).toMatch(/^\[progress/);
  });
});
