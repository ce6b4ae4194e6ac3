import { describe } from "vitest";
import { memoryBackend } from "../../src/index.js";
import { durablePrograms } from "../support/durable-programs.js";
import { hostilePayloads } from "../support/hostile-payloads.js";

function open() {
  const store = memoryBackend();
  return () => store.connect();
}

describe("durable tasks in the memory backend", () => {
  durablePrograms(open);
  hostilePayloads(open);
});
