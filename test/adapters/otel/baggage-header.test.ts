import * as api from "@opentelemetry/api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  chooseBaggage,
  fromBaggageHeader,
  toBaggageHeader,
} from "../../../src/adapters/otel/baggage-header.js";

const text = fc.string({ unit: "binary", maxLength: 40 });
const members = fc.uniqueArray(
  fc.tuple(
    text.filter((key) => key !== ""),
    text,
  ),
  {
    ...{ maxLength: 12, selector: ([key]) => key },
  },
);

function toBaggage(entries: readonly (readonly [string, string])[]): api.Baggage {
  return entries.reduce(
    (baggage, [key, value]) => baggage.setEntry(key, { value }),
    api.propagation.createBaggage(),
  );
}

function valuesOf(baggage: api.Baggage | undefined): [string, string][] {
  return (baggage?.getAllEntries() ?? []).map(([key, { value }]) => [key, value]);
}

describe("the baggage of a task", () => {
  const keys = new Set(["tenant", "region"]);

  it("is what was chosen, and nothing else", () => {
    const baggage = toBaggage([
      ["secret", "s3cret"],
      ["tenant", "acme"],
    ]);
    expect(valuesOf(chooseBaggage(api, baggage, keys))).toEqual([["tenant", "acme"]]);
    expect(chooseBaggage(api, baggage, new Set())).toBeUndefined();
    expect(chooseBaggage(api, toBaggage([["secret", "s3cret"]]), keys)).toBeUndefined();
    expect(chooseBaggage(api, undefined, keys)).toBeUndefined();
  });
});

describe("a baggage header", () => {
  it("gives back what was put into it, whatever the characters", () => {
    fc.assert(
      fc.property(members, (entries) => {
        const header = toBaggageHeader(toBaggage(entries));
        const keys = new Set(entries.map(([key]) => key));
        expect(valuesOf(fromBaggageHeader(api, header, keys))).toEqual(entries);
        expect(header ?? "").toMatch(/^[\x21-\x7e]*$/);
        for (const member of header === undefined ? [] : header.split(","))
          expect(member).toMatch(/^[!#$%&'*+.^_`|~\w-]+=[^",;\\ ]*$/);
      }),
    );
  });

  it("is read as others write it, with spaces and properties", () => {
    const read = fromBaggageHeader(
      api,
      "a=1;ttl=5;flag , b = %C3%A4 ,c=,d=x=y",
      new Set(["a", "b", "c", "d"]),
    );
    expect(valuesOf(read)).toEqual([
      ["a", "1"],
      ["b", "ä"],
      ["c", ""],
      ["d", "x=y"],
    ]);
  });

  it("gives only keys that may travel", () => {
    expect(valuesOf(fromBaggageHeader(api, "tenant=acme,secret=s3cret", new Set(["tenant"])))).toEqual([
      ["tenant", "acme"],
    ]);
    expect(fromBaggageHeader(api, "secret=s3cret", new Set(["tenant"]))).toBeUndefined();
  });

  it("leaves out a member that has no room, and half of a character", () => {
    const header = toBaggageHeader(
      toBaggage([
        ["a", "1"],
        ["long", "x".repeat(8_192)],
        ["wide", "ä".repeat(4_000)],
        ["half", "\ud800"],
        ["b", "2"],
      ]),
    );
    expect(header).toBe("a=1,b=2");
    expect(toBaggageHeader(toBaggage([["half", "\ud800"]]))).toBeUndefined();
    const many = toBaggage(Array.from({ length: 100 }, (_, index) => [`key${index}`, "x".repeat(500)]));
    expect((toBaggageHeader(many) ?? "").length).toBeLessThanOrEqual(8_192);
  });

  it("is absent where it is garbage or too long", () => {
    const keys = new Set(["a", "%"]);
    for (const given of [
      "",
      "a",
      "=1",
      ",;,=",
      "a=%",
      "%=a",
      `a=${"x".repeat(9_000)}`,
      undefined,
      7,
      {},
      ["a=1"],
    ])
      expect(fromBaggageHeader(api, given, keys)).toBeUndefined();
    expect(valuesOf(fromBaggageHeader(api, "a=%,a=2,junk", keys))).toEqual([["a", "2"]]);
  });
});
