import type { ImportDeclaration, MemberExpression, Node } from "oxc-parser";
import { describe, expect, test } from "vitest";
import { parseSource, placeOf, type Seat, type Source, sources, walk } from "./sources.js";

/**
 * Time, chance, ids and output are ports: the folders that hold the logic may not reach for them. A local by the
 * name of a banned global is refused too, since it reads like the global.
 */
const logic = /^src\/(core\/|task\/|ports\/|errors\.ts$|task-manager\.ts$)/;

const bannedInLogic = new Set([
  ...["setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval", "clearImmediate"],
  ...["console", "process", "performance", "crypto", "globalThis", "global"],
]);

/** Of these only some members are banned; the object itself may not be handed on. */
const bannedMembersInLogic: Readonly<Record<string, ReadonlySet<string>>> = {
  Date: new Set(["now"]),
  Math: new Set(["random"]),
  AbortSignal: new Set(["timeout"]),
};

/** The one file that may install signal handlers: a caller of the library has to call for it by name. */
const signalHandlers = "src/adapters/system/stop-on-signals.ts";

/** The one file of adapters that may name `process.exit`: it keeps a task that is over from ending the thread of another. */
const exitGuard = "src/adapters/threads/inside/faults.ts";

/** Its handlers end the thread or process that an executor runs them in: they are there to try that. */
const exitingHandlers = "src/testing/conformance/handlers.ts";

/** Outside the logic the world may be touched, but the process belongs to whoever uses the library. */
const bannedAnywhere = new Set(["console"]);
const addsListener = new Set(["on", "once", "addListener", "prependListener", "prependOnceListener"]);
const endsProcess = new Set(["exit", "abort", "reallyExit"]);

/** One line for each use of a global that the file's place forbids. */
function bannedUses(source: Source): readonly string[] {
  const found: string[] = [];
  const refuse = logic.test(source.path) ? refusedInLogic : refusedElsewhere(source.path);
  walk(source.program, (node, seat) => {
    if (isAboutTypes(node, seat)) return "skip";
    const use = refuse(node, seat);
    if (use !== undefined) found.push(`${placeOf(source, node)} uses ${use}`);
    return undefined;
  });
  return found;
}

function refusedInLogic(node: Node, seat: Seat): string | undefined {
  if (node.type !== "Identifier" || !isReference(node, seat)) return undefined;
  if (bannedInLogic.has(node.name)) return node.name;
  const members = bannedMembersInLogic[node.name];
  return members ? refusedMember(node.name, members, seat) : undefined;
}

function refusedMember(name: string, banned: ReadonlySet<string>, { parent, key }: Seat): string | undefined {
  if (parent?.type === "NewExpression" && key === "callee") {
    return name === "Date" && parent.arguments.length === 0 ? "new Date() without an argument" : undefined;
  }
  if (parent?.type === "BinaryExpression" && parent.operator === "instanceof") return undefined;
  if (parent?.type !== "MemberExpression" || key !== "object") return `${name} itself`;
  const member = memberOf(parent);
  if (member === undefined) return `${name}[...]`;
  return banned.has(member) ? `${name}.${member}` : undefined;
}

function refusedElsewhere(path: string): (node: Node, seat: Seat) => string | undefined {
  return (node, seat) => {
    if (node.type === "Identifier") {
      return isReference(node, seat) && bannedAnywhere.has(node.name) ? node.name : undefined;
    }
    // What is imported goes by any name; the global can be seen.
    if (node.type === "ImportDeclaration") return refusedImport(node);
    if (node.type !== "MemberExpression") return undefined;
    if (node.object.type !== "Identifier" || node.object.name !== "process") return undefined;
    const member = memberOf(node);
    if (member === "exit" && (path === exitGuard || path === exitingHandlers)) return undefined;
    if (member === undefined || endsProcess.has(member)) return `process.${member ?? "[...]"}`;
    if (path === signalHandlers || !addsListener.has(member)) return undefined;
    return mayHandleSignal(seat.parent) ? "a signal handler" : undefined;
  };
}

function refusedImport(node: ImportDeclaration): string | undefined {
  return /^(node:)?(process|console)$/.test(node.source.value)
    ? `${node.source.value} as a module`
    : undefined;
}

function mayHandleSignal(call: Node | undefined): boolean {
  if (call?.type !== "CallExpression") return true;
  const [event] = call.arguments;
  const isPlainEvent = event?.type === "Literal" && typeof event.value === "string";
  return !isPlainEvent || /^SIG/.test(String(event.value));
}

/** The name of the member, or nothing when only a run can tell. */
function memberOf(node: MemberExpression): string | undefined {
  const { property } = node;
  if (property.type === "Literal") return String(property.value);
  return property.type === "Identifier" && !node.computed ? property.name : undefined;
}

const keysOfTypes = new Set([
  "typeAnnotation",
  "typeArguments",
  "typeParameters",
  "returnType",
  "implements",
  "superTypeArguments",
]);

function isAboutTypes(node: Node, { key }: Seat): boolean {
  return (
    keysOfTypes.has(key) || node.type === "TSInterfaceDeclaration" || node.type === "TSTypeAliasDeclaration"
  );
}

/** Whether an identifier means a variable, and not a member, a label, or a name in another module. */
function isReference(node: Node, { parent, key }: Seat): boolean {
  if (!parent) return false;
  if (parent.type === "MemberExpression" && key === "property") return parent.computed;
  if (key === "key") return "computed" in parent && parent.computed === true && node.type === "Identifier";
  return key !== "label" && key !== "imported" && key !== "exported" && parent.type !== "MetaProperty";
}

test("no file of src uses a global that its place forbids", () => {
  expect(sources("src").flatMap(bannedUses)).toEqual([]);
});

describe("the check of globals", () => {
  const uses = (path: string, text: string) => bannedUses(parseSource(path, text));

  test.each([
    "const at = Date.now();",
    `const at = Date["now"]();`,
    "const { now } = Date;",
    "const at = new Date();",
    "const at = Date();",
    "call(Math.random);",
    "const source = { random: Math };",
    "setTimeout(() => {}, 1);",
    "const start = deps.start ?? setImmediate;",
    "const timers = { setInterval };",
    "globalThis.setTimeout(() => {}, 1);",
    "console.error(1);",
    "if (process.env.X) call();",
    "performance.now();",
    "crypto.randomUUID();",
    "AbortSignal.timeout(5);",
    "function wait(setTimeout: Clock) {}",
    "class X { at = Date.now(); }",
    "class X { [process.pid] = 1; }",
    "const at = call<Date>(Date.now as never);",
  ])("reports in core: %s", (text) => {
    expect(uses("src/core/queue/x.ts", text)).toHaveLength(1);
    expect(uses("src/task/x.ts", text)).toHaveLength(1);
    expect(uses("src/errors.ts", text)).toHaveLength(1);
    expect(uses("src/task-manager.ts", text)).toHaveLength(1);
  });

  test.each([
    "clock.setTimeout(() => {}, 1);",
    "const due = new Date(runAt);",
    "const due = value instanceof Date ? value.getTime() : value;",
    "const due = Date.parse(text);",
    "const least = Math.min(1, 2);",
    "const signal = AbortSignal.any([first, second]);",
    "class FakeClock { setTimeout(callback: () => void): void {} }",
    "const clock = { setTimeout: start, console: 1 };",
    "interface World { setTimeout(): void; readonly process: typeof process; performance: Performance }",
    "type Start = typeof setTimeout;",
    "const at: Date = call<Date>(value as Date);",
    "// setTimeout and Date.now are for adapters",
    `const text = "process.exit()";`,
    "const when = work.process.performance;",
  ])("accepts in core: %s", (text) => {
    expect(uses("src/core/queue/x.ts", text)).toEqual([]);
  });

  test.each([
    "console.log(1);",
    "process.exit(1);",
    `process["exit"](1);`,
    "process.abort();",
    `process.on("SIGTERM", stop);`,
    "process.once(signal, stop);",
    "const listen = process.on;",
    `import { exit } from "node:process";`,
  ])("reports in adapters and testing: %s", (text) => {
    expect(uses("src/adapters/system/x.ts", text)).toHaveLength(1);
    expect(uses("src/testing/x.ts", text)).toHaveLength(1);
  });

  test.each([
    "setTimeout(() => {}, Date.now() + performance.now() + Math.random());",
    `process.on("uncaughtException", report);`,
    "process.memoryUsage();",
  ])("accepts in adapters: %s", (text) => {
    expect(uses("src/adapters/system/x.ts", text)).toEqual([]);
  });

  test("accepts an exit only in the handlers that try what an executor does about it", () => {
    expect(uses(exitingHandlers, "process.exit(7);")).toEqual([]);
    expect(uses(exitingHandlers, "process.abort();")).toHaveLength(1);
  });

  test("accepts signal handlers only in the file that is named for them", () => {
    expect(uses(signalHandlers, `process.once(signal, stop); process.kill(process.pid, signal);`)).toEqual(
      [],
    );
    expect(uses(signalHandlers, "process.exit(1);")).toHaveLength(1);
  });
});
