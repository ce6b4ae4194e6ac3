import {
  combineHandlers,
  defineHandlers,
  type HandlerNames,
  type Handlers,
  json,
  type PayloadInputOf,
  type ResultOfHandler,
} from "millrace";
import { same } from "./same.js";

const mail = defineHandlers({
  send: { payload: json<{ to: string }>(), run: () => "sent" },
  count: { payload: json<null>(), run: () => 5 },
});
const pictures = defineHandlers({ resize: { payload: json<{ width: number }>(), run: async () => true } });
const reports = defineHandlers({ print: { payload: json<string>() } });

const all = combineHandlers(mail, pictures, reports);
type All = typeof all;
same<HandlerNames<All>, "send" | "count" | "resize" | "print">();
same<PayloadInputOf<All, "send">, { to: string }>();
same<ResultOfHandler<All, "send">, string>();
same<ResultOfHandler<All, "resize">, boolean>();
same<ResultOfHandler<All, "print">, unknown>();

const again = combineHandlers(combineHandlers(mail), combineHandlers(pictures, reports));
same<HandlerNames<typeof again>, HandlerNames<All>>();
same<HandlerNames<ReturnType<typeof none>>, never>();
const none = () => combineHandlers();
const empty = defineHandlers({});
same<HandlerNames<typeof empty>, never>();

// Any registry fits where the names do not matter.
const any: readonly Handlers[] = [mail, all, none(), empty];

export { any };

// @ts-expect-error: a name in two registries
combineHandlers(mail, pictures, mail);
// @ts-expect-error: an object of handlers is no registry
combineHandlers(mail, { print: { payload: json<string>() } });
// @ts-expect-error: nor has it the type of one
export const registry: Handlers = { print: { payload: json<string>() } };
