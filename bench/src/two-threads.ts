import { Piscina } from "piscina";
import { Tinypool } from "tinypool";
import { createThreadedManager, defineHandlers, json, threadModule } from "./millrace.js";
import type { Addition } from "./thread-handlers.js";

const module = new URL("./thread-handlers.js", import.meta.url);

/** What a contestant is asked: to run an export of `thread-handlers` in one of its two threads. */
export interface TwoThreads {
  add(addition: Addition): Promise<number>;
  /** @param priority lower goes first, where there are priorities */
  spin(steps: number, priority?: number): Promise<number>;
}

const handlers = defineHandlers({
  add: {
    payload: json<Addition>(),
    module: threadModule<typeof import("./thread-handlers.js"), "add">(module, "add"),
  },
  spin: {
    payload: json<number>(),
    module: threadModule<typeof import("./thread-handlers.js"), "spin">(module, "spin"),
  },
});

/** Everything as it is by default, but for the number of threads. */
function millrace(): TwoThreads {
  const tasks = createThreadedManager(handlers);
  return {
    add: (addition) => tasks.enqueue("add", addition).result(),
    spin: (steps, priority = 0) => tasks.enqueue("spin", steps, { priority }).result(),
  };
}

function tinypool(useAtomics: boolean): TwoThreads {
  return toTwoThreads(new Tinypool({ filename: module.href, minThreads: 2, maxThreads: 2, useAtomics }));
}

function piscina(): TwoThreads {
  return toTwoThreads(new Piscina({ filename: module.href, minThreads: 2, maxThreads: 2 }));
}

function toTwoThreads(pool: { run(task: unknown, options: { name: string }): Promise<unknown> }): TwoThreads {
  return {
    add: (addition) => pool.run(addition, { name: "add" }) as Promise<number>,
    spin: (steps) => pool.run(steps, { name: "spin" }) as Promise<number>,
  };
}

/**
 * The threads of each contestant, made when it is first asked in its process. They stay until that ends: how
 * long threads take to come up is not what these cases are about.
 */
export const contestants = {
  millrace: lazy(millrace),
  tinypool: lazy(() => tinypool(true)),
  /** Its threads do not stand still between tasks, as ours do not. */
  tinypoolWithoutAtomics: lazy(() => tinypool(false)),
  piscina: lazy(piscina),
};

function lazy(make: () => TwoThreads): () => TwoThreads {
  let made: TwoThreads | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
