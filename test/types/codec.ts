import {
  type Codec,
  defineCodec,
  defineHandlers,
  type InputOf,
  type OutputOf,
  type PayloadInputOf,
  type ResultOfHandler,
  threadModule,
} from "millrace";
import { protobufCodec } from "millrace/protobuf";
import type { Type } from "protobufjs";
import * as z from "zod";
import { type IParcel, Parcel } from "../fixtures/parcel.js";
import { same } from "./same.js";

const dated = defineCodec({
  name: "dated",
  encode: (at: Date) => new TextEncoder().encode(String(at.getTime())),
  decode: () => new Date(0),
});
same<typeof dated, Codec<Date>>();
same<InputOf<typeof dated>, Date>();

const branded = z.object({ at: z.date() }).brand("Mail");
const checked = defineCodec({
  name: "checked",
  schema: branded,
  encode: () => new Uint8Array(),
  decode: () => ({ at: new Date(0) }),
});
same<InputOf<typeof checked>, { at: Date }>();
same<OutputOf<typeof checked>, z.output<typeof branded>>();

const parcel = protobufCodec(Parcel);
same<InputOf<typeof parcel>, IParcel>();
same<OutputOf<typeof parcel>, Parcel>();

declare const type: Type;
export const reflected = protobufCodec<{ to: string }>(type);
same<OutputOf<typeof reflected>, { to: string }>();
export const untyped = protobufCodec(type);

const module = threadModule<typeof import("./coded-work.js")>(new URL("coded-work.js", import.meta.url));
const handlers = defineHandlers({
  weigh: { payload: parcel, module },
  remind: {
    payload: dated,
    run: (at) => {
      same<typeof at, Date>();
      return at.getTime();
    },
  },
  ship: {
    payload: parcel,
    result: parcel,
    run: async (given) => {
      same<typeof given, Parcel>();
      return { to: given.to };
    },
  },
});
same<PayloadInputOf<typeof handlers, "remind">, Date>();
same<PayloadInputOf<typeof handlers, "ship">, IParcel>();
same<ResultOfHandler<typeof handlers, "ship">, Parcel>();
same<PayloadInputOf<typeof handlers, "weigh">, IParcel>();
same<ResultOfHandler<typeof handlers, "weigh">, { to: string; heavy: boolean }>();
// @ts-expect-error: the function in the thread takes something else
defineHandlers({ weigh: { payload: dated, module } });

// @ts-expect-error: what comes out would not be taken again
export const oneWay: Codec<string, number> = { ...defineCodec({ name: "x" }) };
// @ts-expect-error: encode and decode are of different types
defineCodec({ name: "x", encode: (value: string) => new TextEncoder().encode(value), decode: () => 5 });
// @ts-expect-error: no decode
defineCodec({ name: "x", encode: (value: string) => new TextEncoder().encode(value) });
// @ts-expect-error: no protobufjs type
protobufCodec(class {});
defineHandlers({
  ship: {
    payload: parcel,
    result: parcel,
    // @ts-expect-error: run does not return what the codec of the result encodes
    run: () => 5,
  },
});
