import { describe } from "vitest";
import { memoryBackend } from "../../src/index.js";
import { durablePrograms } from "../support/durable-programs.js";

describe("durable tasks in the memory backend", () => {
  durablePrograms(() => {
    const store = memoryBackend();
    return () => store.connect();
  });
});
