import { type InputOf, type JsonValue, json, type OutputOf } from "millrace";
import { same } from "./same.js";

interface Tree {
  name: string;
  parent?: Tree | undefined;
  children: Tree[];
}
interface Mail {
  readonly to: readonly string[];
  subject?: string;
  kind: "plain" | "html";
  window: [from: number, to?: number];
  headers: Record<string, string | null>;
  parts: { size: number | null }[];
}
class Point {
  x = 0;
  norm(): number {
    return this.x;
  }
}

const mail = json<Mail>();
same<InputOf<typeof mail>, Mail>();
same<OutputOf<typeof mail>, Mail>();
export const fine = [
  mail,
  json<Tree>(),
  json<JsonValue>(),
  json<{ any: JsonValue; maybe?: JsonValue }>(),
  json<Record<string, JsonValue>>(),
  json<string>(),
  json<boolean | null>(),
  json<"a" | "b" | 3>(),
  json<{ type: "a"; size: number } | { type: "b"; name: string }>(),
  json<readonly [1, 2]>(),
  json<[string, ...number[]]>(),
  json<{ maybe: string | undefined }>(),
  json<Partial<Readonly<Mail>> | null>(),
  json<{ id: string & { readonly __brand: "Id" } }>(),
  json<Record<string, never>>(),
];

// @ts-expect-error: a Date
json<{ at: Date }>();
// @ts-expect-error: a Date, deep inside and optional
json<{ to: { list: { at?: Date }[] } }>();
// @ts-expect-error: a Date as the whole
json<Date>();
// @ts-expect-error: one case of a union
json<{ at: string | Date }>();
// @ts-expect-error: a Map
json<{ byName: Map<string, number> }>();
// @ts-expect-error: a Set
json<{ names: ReadonlySet<string> }>();
// @ts-expect-error: a bigint
json<{ size: bigint }>();
// @ts-expect-error: a bigint as the whole
json<bigint>();
// @ts-expect-error: a bigint in an array
json<{ sizes: (number | bigint)[] }>();
// @ts-expect-error: a function
json<{ call: () => void }>();
// @ts-expect-error: a method
json<{ call(): void }>();
// @ts-expect-error: a symbol
json<{ tag: symbol }>();
// @ts-expect-error: a symbol as a key
json<{ [Symbol.iterator]: 1 }>();
// @ts-expect-error: undefined as the whole
json<undefined>();
// @ts-expect-error: undefined in an array
json<(string | undefined)[]>();
// @ts-expect-error: an instance of a class with methods
json<Point>();
// @ts-expect-error: such an instance as a member
json<{ at: Point }>();
// @ts-expect-error: a buffer
json<{ bytes: Uint8Array }>();
// @ts-expect-error: a promise
json<{ later: Promise<string> }>();
// @ts-expect-error: unknown may be anything; JsonValue says what is meant
json<{ anything: unknown }>();
// @ts-expect-error: unknown as the whole
json<unknown>();
// @ts-expect-error: any is no type that could be checked
json<{ anything: ReturnType<typeof JSON.parse> }>();
