import { describe, test } from "vitest";
import { backendConformance } from "../../src/testing/index.js";
import { memorySubject } from "../support/memory-subject.js";

describe("memoryBackend", () => {
  for (const { name, run } of backendConformance(memorySubject())) test(name, run);
});
