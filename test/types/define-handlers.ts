import {
  defineHandlers,
  type HandlerNames,
  type Handlers,
  json,
  type PayloadInputOf,
  type ResultOfHandler,
  type TaskContext,
  threadModule,
} from "millrace";
import * as v from "valibot";
import * as z from "zod";
import { same } from "./same.js";

// What `enqueue` by name will look like.
declare function enqueue<H, K extends HandlerNames<H>>(
  handlers: H,
  name: K,
  payload: PayloadInputOf<H, K>,
): Promise<ResultOfHandler<H, K>>;

const here = new URL("resize.js", import.meta.url);
const handlers = defineHandlers({
  plain: {
    payload: json<{ to: string; copies?: number }>(),
    run: async (payload, context) => {
      same<typeof payload, { to: string; copies?: number }>();
      same<typeof context, TaskContext>();
      return payload.to.length + context.attempt;
    },
    queue: "mail",
    maxAttempts: 5,
    timeoutMs: false,
    rateLimit: { tasksPerSecond: 5 },
  },
  byZod: {
    payload: z.object({
      at: z.string().transform((text) => new Date(text)),
      tags: z.array(z.string()).default([]),
    }),
    run: (payload) => {
      same<typeof payload, { at: Date; tags: string[] }>();
      return payload.at;
    },
  },
  byValibot: {
    payload: v.object({ width: v.pipe(v.string(), v.transform(Number)) }),
    run(payload) {
      same<typeof payload, { width: number }>();
      return [payload.width, "px"] as const;
    },
  },
  checked: {
    payload: json<string>(),
    result: z.object({ size: z.coerce.string() }),
    run: async (path) => ({ size: path.length }),
  },
  threaded: {
    payload: json<{ path: string; width: number }>(),
    module: threadModule<typeof import("./resize.js")>(here),
  },
  cropped: {
    payload: json<{ path: string; width: number }>(),
    module: threadModule<typeof import("./resize.js"), "crop">(here, "crop"),
  },
  byUrl: { payload: json<{ path: string }>(), module: here },
  contract: { payload: json<number[]>() },
  contractWithResult: { payload: json<null>(), result: json<{ ok: boolean }>() },
  nothing: { payload: json<null>(), run: () => {} },
});
type H = typeof handlers;

same<
  HandlerNames<H>,
  | "plain"
  | "byZod"
  | "byValibot"
  | "checked"
  | "threaded"
  | "cropped"
  | "byUrl"
  | "contract"
  | "contractWithResult"
  | "nothing"
>();

// The types arrive: what goes in is the input of the schema, what comes out is what run or the schema gives.
const plain = enqueue(handlers, "plain", { to: "a" });
same<typeof plain, Promise<number>>();
const byZod = enqueue(handlers, "byZod", { at: "2026-01-01" });
same<typeof byZod, Promise<Date>>();
same<PayloadInputOf<H, "byZod">, { at: string; tags?: string[] | undefined }>();
const byValibot = enqueue(handlers, "byValibot", { width: "5" });
same<typeof byValibot, Promise<readonly [number, "px"]>>();
const checked = enqueue(handlers, "checked", "a");
same<typeof checked, Promise<{ size: string }>>();
const threaded = enqueue(handlers, "threaded", { path: "a", width: 5 });
same<typeof threaded, Promise<Uint8Array<ArrayBuffer>>>();
const cropped = enqueue(handlers, "cropped", { path: "a", width: 5 });
same<typeof cropped, Promise<boolean>>();
const byUrl = enqueue(handlers, "byUrl", { path: "a" });
same<typeof byUrl, Promise<unknown>>();
const contract = enqueue(handlers, "contract", [1, 2]);
same<typeof contract, Promise<unknown>>();
const withResult = enqueue(handlers, "contractWithResult", null);
same<typeof withResult, Promise<{ ok: boolean }>>();
const nothing = enqueue(handlers, "nothing", null);
same<typeof nothing, Promise<void>>();

// Where nothing is known of the handlers, any name and any payload will do.
declare const unknownHandlers: Handlers;
const unknownResult = enqueue(unknownHandlers, "any", 5);
same<typeof unknownResult, Promise<unknown>>();

// A function that is written elsewhere, and a schema that takes less than the function.
async function print(mail: { to: string; from?: string }): Promise<"printed"> {
  return mail.to === mail.from ? "printed" : "printed";
}
const elsewhere = defineHandlers({ print: { payload: json<{ to: string }>(), run: print } });
same<ResultOfHandler<typeof elsewhere, "print">, "printed">();
same<PayloadInputOf<typeof elsewhere, "print">, { to: string }>();

// @ts-expect-error: no such handler
enqueue(handlers, "plian", { to: "a" });
// @ts-expect-error: names that every object has are no handlers
enqueue(handlers, "toString", { to: "a" });
// @ts-expect-error: the payload lacks a member
enqueue(handlers, "plain", {});
// @ts-expect-error: a member of the wrong type
enqueue(handlers, "plain", { to: 5 });
// @ts-expect-error: a member too many
enqueue(handlers, "plain", { to: "a", too: "much" });
// @ts-expect-error: the output of a schema is not its input
enqueue(handlers, "byZod", { at: new Date(0) });
// @ts-expect-error: nor with valibot
enqueue(handlers, "byValibot", { width: 5 });
// @ts-expect-error: a payload is asked for
enqueue(handlers, "contract");

const payload = json<{ to: string }>();
defineHandlers({
  wrongOption: {
    payload,
    // @ts-expect-error: unknown handler option
    timeout: 5,
  },
});
defineHandlers({
  wrongNestedOption: {
    payload,
    // @ts-expect-error: unknown option of a rate limit
    rateLimit: { tasksPerSecond: 5, bursts: 2 },
  },
});
defineHandlers({
  onceOnly: { payload, idempotency: { onDuplicate: "reject", ttlMs: 5, onFailure: "free" } },
  wrongRule: {
    payload,
    // @ts-expect-error: unknown option of idempotency
    idempotency: { ttlMs: 5, maxKeys: 2 },
  },
});
defineHandlers({
  wrongValue: {
    payload,
    // @ts-expect-error: a number is asked for
    maxAttempts: "5",
  },
});
defineHandlers({
  both: {
    payload,
    run: () => 1,
    // @ts-expect-error: run or module, not both
    module: here,
  },
});
// @ts-expect-error: a payload schema is asked for
defineHandlers({
  noPayload: { run: () => 1 },
});
// @ts-expect-error: this is no schema
defineHandlers({
  noSchema: {
    payload: { to: "string" },
    run: () => 1,
  },
});
defineHandlers({
  wrongParameter: {
    payload,
    // @ts-expect-error: the schema gives something else
    run: (payload: { to: number }) => payload.to,
  },
});
defineHandlers({
  unknownMember: {
    payload,
    // @ts-expect-error: the payload has no such member
    run: (payload) => payload.form,
  },
});
defineHandlers({
  wrongModule: {
    payload,
    // @ts-expect-error: the module takes another payload
    module: threadModule<typeof import("./resize.js")>(here),
  },
});
defineHandlers({
  wrongResult: {
    payload,
    result: z.object({ size: z.number() }),
    // @ts-expect-error: what it returns is not what the result schema takes
    run: () => ({ size: "5" }),
  },
});

// @ts-expect-error: no such export
threadModule<typeof import("./resize.js"), "corp">(here, "corp");
// @ts-expect-error: another export than the types are taken from
threadModule<typeof import("./resize.js"), "crop">(here, "default");
// @ts-expect-error: the export has to be named
threadModule<typeof import("./resize.js"), "crop">(here);
