import { describe, expect, it } from "vitest";
import { OptionError, UnknownHandlerError } from "../../src/errors.js";
import { definitionsOf, findDefinition, Handlers } from "../../src/task/handler-registry.js";
import { defineHandlers } from "../../src/task/handlers.js";
import { json } from "../../src/task/json.js";
import { thrownBy } from "../support/manual-manager.js";

const payload = json<null>();
const definitions = definitionsOf(defineHandlers({ sendEmail: { payload }, resize: { payload } }));
const refusal = (name: string, known = definitions) =>
  thrownBy(() => findDefinition(known, name)) as UnknownHandlerError;

describe("definitionsOf", () => {
  it("gives what is behind a registry", () => {
    expect([...definitions.keys()]).toEqual(["sendEmail", "resize"]);
  });

  it("refuses what only looks like a registry", () => {
    const made = defineHandlers({});
    const fakes = [undefined, null, 5, {}, new Map(), Object.create(made), new Proxy(made, {})];
    for (const fake of [...fakes, Object.create(Handlers.prototype), { sendEmail: { payload } }]) {
      const error = thrownBy(() => definitionsOf(fake));
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ option: "handlers" });
    }
  });
});

describe("findDefinition", () => {
  it("finds a handler by its name", () => {
    expect(findDefinition(definitions, "resize")).toMatchObject({ name: "resize", payload });
  });

  it("names the nearest handler, or those that there are", () => {
    expect(refusal("sendEmial")).toBeInstanceOf(UnknownHandlerError);
    expect(refusal("sendEmial")).toMatchObject({
      code: "MILLRACE_UNKNOWN_HANDLER",
      handler: "sendEmial",
      message: 'Unknown handler "sendEmial"; did you mean "sendEmail"?',
    });
    expect(refusal("printReport").message).toBe('Unknown handler "printReport"; known are sendEmail, resize');
    expect(refusal("any", new Map()).message).toBe('Unknown handler "any"; no handlers are known');
  });

  it("tells of many handlers only the first", () => {
    const entries = Array.from({ length: 500 }, (_, index) => [`handler-number-${index}`, { payload }]);
    const many = definitionsOf(defineHandlers(Object.fromEntries(entries) as Record<string, never>));
    expect(refusal("?", many).message).toMatch(/known are handler-number-0, .* and 480 more$/);
    expect(refusal("?", many).message.length).toBeLessThan(500);
  });

  it("V1: knows no names but the registered ones", () => {
    const names = [
      "constructor",
      "__proto__",
      "toString",
      "hasOwnProperty",
      "then",
      "../../etc/x",
      "file:///x",
    ];
    for (const name of [...names, "", "SENDEMAIL", "sendEmail ", "sendEmail\0"])
      expect(refusal(name)).toBeInstanceOf(UnknownHandlerError);
  });

  it("V2: cuts and quotes a hostile name", () => {
    const name = `*\r\nDEL x\0${"x".repeat(10_240)}`;
    expect(refusal(name).handler).toBe(name.slice(0, 128));
    expect(refusal(name).message).not.toMatch(/[\r\n\0]/);
    expect(refusal(name).message.length).toBeLessThan(300);
  });
});
