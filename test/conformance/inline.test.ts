import { describe, test } from "vitest";
import { executorConformance } from "../../src/testing/index.js";
import { inlineSubject } from "../support/inline-subject.js";

describe("InlineExecutor", () => {
  for (const { name, run } of executorConformance(inlineSubject())) test(name, run);
});
