// What a thread throws arrives with name, code, fields, cause and both stacks. What kills it is an error too.
import {
  defineHandlers,
  json,
  PayloadError,
  ResultError,
  TaskManager,
  threadModule,
  WorkerExitError,
} from "millrace";

type Rows = typeof import("./import-rows.js");
const url = new URL("./import-rows.js", import.meta.url);
const tasks = new TaskManager({
  handlers: defineHandlers({
    importRows: { payload: json<string[]>(), module: threadModule<Rows>(url) },
    exit: { payload: json<number>(), module: threadModule<Rows, "exit">(url, "exit") },
    giveFunction: { payload: json<null>(), module: threadModule<Rows, "giveFunction">(url, "giveFunction") },
  }),
});
console.log(await tasks.execute("importRows", ["1", '"two"']));

// An error of a class of its own comes as an Error with that name: classes do not cross, what they hold does.
const one = await tasks.execute("importRows", ["1", "two"]).catch((error) => error);
console.log(`${one.name}: ${one.message} |`, one.code, one.row, one instanceof Error);
console.log(one.cause instanceof SyntaxError, one.stack.includes("import-rows.js"));

// So does what an AggregateError holds.
const both = await tasks.execute("importRows", ["one", "two"]).catch((error) => error);
console.log(
  both instanceof AggregateError,
  both.errors.map(({ row }: { row: number }) => row),
);

// A handler may take its thread down. That is the end of this task, and of no other.
const exited = await tasks.execute("exit", 3).catch((error) => error);
console.log(exited instanceof WorkerExitError && exited.exitCode);
console.log(await tasks.execute("importRows", ["4"]));

// What cannot cross is refused, with its place: a payload when it is enqueued, a result inside the thread.
try {
  tasks.enqueue("importRows", [(() => {}) as unknown as string]);
} catch (error) {
  if (error instanceof PayloadError) console.log(error.code, error.issues[0]?.path);
}
const refused = await tasks.execute("giveFunction", null).catch((error) => error);
if (refused instanceof ResultError) console.log(refused.code, refused.issues[0]?.path);
await tasks.stopGraceful();

// Prints:
// [ 1, 'two' ]
// RowError: Row 1 cannot be read | E_ROW 1 true
// true true
// true [ 0, 1 ]
// 3
// [ 4 ]
// MILLRACE_PAYLOAD payload[0]
// MILLRACE_RESULT result.onEnd
