import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { definitionsOf, type Handlers } from "../../src/task/handler-registry.js";
import { combineHandlers, defineHandlers, handlerEntries } from "../../src/task/handlers.js";
import { json } from "../../src/task/json.js";
import { rejectionOf, thrownBy } from "../support/manual-manager.js";

const payload = json<null>();
const namesOf = (handlers: unknown) => [...definitionsOf(handlers).keys()];
/** As code without types may call it. */
const define = defineHandlers as unknown as (definitions: unknown) => Handlers;
const combine = combineHandlers as unknown as (...registries: readonly unknown[]) => Handlers;
const refused = (definitions: unknown) => thrownBy(() => define(definitions)) as OptionError;

describe("defineHandlers", () => {
  it("makes a frozen registry that shows nothing of what is in it", () => {
    const handlers = defineHandlers({ sendEmail: { payload, run: () => 1 }, resize: { payload } });
    expect(namesOf(handlers)).toEqual(["sendEmail", "resize"]);
    expect(Object.isFrozen(handlers)).toBe(true);
    expect(Reflect.ownKeys(handlers)).toEqual([]);
    expect(namesOf(defineHandlers({}))).toEqual([]);
  });

  it("reads each entry once and keeps nothing that could change", () => {
    let reads = 0;
    const entry = { payload, maxAttempts: 2 };
    const definitions = {
      get sendEmail() {
        reads++;
        return entry;
      },
    };
    const handlers = define(definitions);
    entry.maxAttempts = 9;
    expect(definitionsOf(handlers).get("sendEmail")?.settings.maxAttempts).toBe(2);
    expect(reads).toBe(1);
  });

  it("names the path of what is wrong", () => {
    expect(refused({ fine: { payload }, sendEmail: { payload, timeoutMs: -1 } })).toMatchObject({
      option: "handlers.sendEmail.timeoutMs",
    });
    expect(refused({ sendEmail: undefined })).toMatchObject({ option: "handlers.sendEmail" });
  });

  it("takes objects of other realms, without a prototype, and namespaces of modules", () => {
    const foreign = runInNewContext("({})") as Record<string, unknown>;
    foreign["sendEmail"] = { payload };
    expect(namesOf(define(foreign))).toEqual(["sendEmail"]);
    const bare = Object.assign(Object.create(null), { resize: { payload } });
    expect(namesOf(define(bare))).toEqual(["resize"]);
    const namespace = Object.create(null, { a: { value: { payload }, enumerable: true } });
    expect(namesOf(define(namespace))).toEqual(["a"]);
  });

  it("refuses a function for a handler, and says what to give", () => {
    const refusal = "Expected `handlers.send` to be a plain object, { payload, run }, found a function";
    expect(() => defineHandlers({ send: () => 1 } as never)).toThrow(refusal);
    expect(Object.isFrozen(defineHandlers({ send: { payload: json(), run: () => 1 } }))).toBe(true);
  });

  it("refuses what is no plain object", () => {
    class Definitions {
      sendEmail = { payload };
    }
    for (const value of [undefined, null, 5, "text", [], new Map(), new Definitions(), () => 1, define({})])
      expect(refused(value)).toMatchObject({ option: "handlers", code: "MILLRACE_OPTION" });
  });

  it("V2: takes names of 1 to 128 safe characters alone", () => {
    for (const name of ["a", "mail.send:v2_x-1", "x".repeat(128)])
      expect(namesOf(define({ [name]: { payload } }))).toEqual([name]);
    const bad = [
      "",
      "x".repeat(129),
      "a b",
      "a\n",
      "a\0",
      "{a}",
      "ä",
      "a/b",
      "*?[]",
      "../../etc/x",
      "\r\nDEL x",
    ];
    for (const name of bad) {
      expect(refused({ [name]: { payload } })).toBeInstanceOf(OptionError);
      expect(refused({ [name]: { payload } }).message.length).toBeLessThan(300);
    }
  });

  it("Z4, V1: takes names that mean something elsewhere for what they are, and never for a promise", async () => {
    const names = ["constructor", "prototype", "toString", "hasOwnProperty", "then", "valueOf", "toJSON"];
    const handlers = define(Object.fromEntries(names.map((name) => [name, { payload }])));
    expect(namesOf(handlers)).toEqual(names);
    expect(await handlers).toBe(handlers);
    expect(namesOf(define({ sendEmail: { payload } }))).toEqual(["sendEmail"]);
    expect(Object.prototype).not.toHaveProperty("payload");
  });

  it("Z4: refuses __proto__ in either spelling, and what else would be inherited", () => {
    const own = Object.defineProperty({}, "__proto__", { value: { payload }, enumerable: true });
    expect(refused(own)).toMatchObject({ option: "handlers name" });
    const literal = { __proto__: { sendEmail: { payload } } };
    expect(refused(literal)).toMatchObject({ option: "handlers" });
    expect(refused(Object.create({ sendEmail: { payload } }))).toMatchObject({ option: "handlers" });
  });

  it("reads own enumerable names alone", () => {
    const hidden = Object.defineProperty({}, "hidden", { value: 5, enumerable: false });
    expect(namesOf(define(Object.assign(hidden, { [Symbol("s")]: 5 })))).toEqual([]);
  });

  it("says of what cannot be read only what was thrown, and registers nothing", async () => {
    const error = new Error("hostile");
    const hostile = Object.defineProperty({}, "sendEmail", {
      enumerable: true,
      get() {
        throw error;
      },
    });
    expect(await rejectionOf((async () => define(hostile))())).toBe(error);
  });
});

describe("combineHandlers", () => {
  const mail = defineHandlers({ sendEmail: { payload } });
  const pictures = defineHandlers({ resize: { payload }, crop: { payload } });

  it("joins registries and leaves them as they were", () => {
    const all = combineHandlers(mail, pictures);
    expect(namesOf(all)).toEqual(["sendEmail", "resize", "crop"]);
    expect(definitionsOf(all).get("crop")).toBe(definitionsOf(pictures).get("crop"));
    expect(namesOf(mail)).toEqual(["sendEmail"]);
    expect(namesOf(combineHandlers())).toEqual([]);
    expect(namesOf(combineHandlers(combineHandlers(mail), pictures))).toHaveLength(3);
  });

  it("refuses a name that is in two of them", () => {
    const other = defineHandlers({ crop: { payload } });
    expect(thrownBy(() => combine(mail, pictures, other))).toMatchObject({
      option: "handlers.crop",
      message: "The handler `crop` is in two of the registries",
    });
    expect(() => combine(mail, mail)).toThrow(OptionError);
  });

  it("refuses what is no registry", () => {
    for (const value of [undefined, {}, { sendEmail: { payload } }, [mail]])
      expect(() => combine(mail, value)).toThrow("Expected `handlers` to be what defineHandlers() made");
  });
});

describe("handlerEntries", () => {
  it("gives what defineHandlers was given, so that it can be given again", () => {
    const entry = { payload, run: () => 1, maxAttempts: 3, queue: "email", rateLimit: { tasksPerSecond: 5 } };
    const handlers = defineHandlers({ sendEmail: entry, contract: { payload } });
    const entries = handlerEntries(handlers);
    expect(Object.keys(entries)).toEqual(["sendEmail", "contract"]);
    expect(entries["sendEmail"]).toMatchObject(entry);
    const again = defineHandlers({ ...entries, contract: { ...entries["contract"], payload, timeoutMs: 5 } });
    expect(definitionsOf(again).get("sendEmail")).toEqual(definitionsOf(handlers).get("sendEmail"));
    expect(definitionsOf(again).get("contract")?.settings.timeoutMs).toBe(5);
  });

  it("lets nobody change the handlers, and takes nothing else", () => {
    const handlers = defineHandlers({ constructor: { payload } });
    const entries = handlerEntries(handlers) as Record<string, { queue: string }>;
    expect(() => Object.assign(entries["constructor"] ?? {}, { queue: "x" })).toThrow(TypeError);
    expect(() => Object.assign(entries, { more: {} })).toThrow(TypeError);
    expect(entries["toString"]).toBeUndefined();
    expect(thrownBy(() => handlerEntries({} as never))).toBeInstanceOf(OptionError);
  });
});
