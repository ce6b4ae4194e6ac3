import { SystemClock } from "../../dist/adapters/system/system-clock.js";
import { ThreadExecutor } from "../../dist/adapters/threads/thread-executor.js";
import { json, threadModule } from "../../dist/index.js";
import type { Executor } from "../../dist/ports/executor.js";
import { readDefinition } from "../../dist/task/handler-definition.js";
import { toThreadSettings } from "../../dist/task/thread-options.js";
import { HandlerCall } from "../../dist/task/work.js";
import { conformanceModule, type ExecutorSubject } from "../../dist/testing/index.js";

/**
 * Worker threads, as conformance suites see them: compiled ones, since a thread loads no sources.
 * @param wrap makes another executor of each, where a test wants one that is broken
 */
export function threadSubject(wrap: (threads: Executor) => Executor = (threads) => threads): ExecutorSubject {
  const definitions = new Map<string, ReturnType<typeof readDefinition>>();
  return {
    create: (slots) => wrap(new ThreadExecutor(toThreadSettings({ max: slots }, 1), new SystemClock())),
    work(name, payload) {
      const module = threadModule<Record<string, () => unknown>, string>(conformanceModule, name as never);
      const definition = definitions.get(name) ?? readDefinition(name, { payload: json(), module });
      definitions.set(name, definition);
      return new HandlerCall(definition, payload);
    },
    ...{ elsewhere: true, kills: true, pooled: true },
  };
}
