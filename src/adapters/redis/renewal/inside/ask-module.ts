import type { Redis, RedisOptions } from "ioredis";
import type { RedisAddress } from "../../redis-options.js";

/** It is waited for no longer: less than a thread may take that comes up. */
const PATIENCE_MS = 5_000;

/**
 * Where Redis is by the word of a module, which is asked once in the life of the thread.
 * @throws whatever it throws, and a TypeError where it gives what is neither a client nor options
 */
export async function askModule(url: string): Promise<RedisAddress> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(`It gave nothing within ${PATIENCE_MS} ms`));
    timer = setTimeout(giveUp, PATIENCE_MS);
  });
  try {
    return toAddress(await Promise.race([ask(url), late]));
  } finally {
    clearTimeout(timer);
  }
}

async function ask(url: string): Promise<unknown> {
  const module: unknown = await import(url);
  const create = findDefault(findDefault(module)) ?? findDefault(module); // what compilers make of CommonJS
  if (typeof create !== "function") throw new TypeError("Its default export is no function");
  return await create();
}

function findDefault(module: unknown): unknown {
  if ((typeof module !== "object" && typeof module !== "function") || module === null) return undefined;
  return (module as { readonly default?: unknown }).default;
}

function toAddress(given: unknown): RedisAddress {
  if (isClient(given)) return { client: given };
  if (isPlain(given)) return { options: given };
  throw new TypeError("It gives neither a client of ioredis nor options of one");
}

function isClient(given: unknown): given is Redis {
  const { duplicate, callBuffer } = (given ?? {}) as Partial<Redis>;
  return typeof duplicate === "function" && typeof callBuffer === "function";
}

/** A client of another library is not taken for options: it would lead to wherever ioredis goes by itself. */
function isPlain(given: unknown): given is RedisOptions {
  if (typeof given !== "object" || given === null) return false;
  const prototype: unknown = Object.getPrototypeOf(given);
  return prototype === Object.prototype || prototype === null;
}
