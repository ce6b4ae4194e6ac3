import { describe, test } from "vitest";
import { executorConformance } from "../../dist/testing/index.js";
import { threadSubject } from "../support/thread-subject.js";

describe("ThreadExecutor", () => {
  for (const { name, run } of executorConformance(threadSubject())) test(name, run);
});
