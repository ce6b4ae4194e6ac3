import { InlineExecutor } from "../../src/adapters/inline/inline-executor.js";
import type { Executor } from "../../src/ports/executor.js";
import { readDefinition } from "../../src/task/handler-definition.js";
import { json } from "../../src/task/json.js";
import { HandlerCall } from "../../src/task/work.js";
import { conformanceHandlers, type ExecutorSubject } from "../../src/testing/index.js";

/** The event loop, as conformance suites see it, or what runs handlers there in its stead. */
export function inlineSubject(create: () => Executor = () => new InlineExecutor()): ExecutorSubject {
  return {
    create,
    work(name, payload) {
      const run = conformanceHandlers[name];
      return new HandlerCall(readDefinition(name, { payload: json(), run }), payload);
    },
    ...{ elsewhere: false, kills: false, pooled: false },
  };
}
