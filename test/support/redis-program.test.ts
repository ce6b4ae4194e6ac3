import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { findRedisServer } from "./redis-program.js";

test("where there is no redis-server, and none can be had, it is said what is to be done", async () => {
  const nowhere = { path: tmpdir(), cache: "/dev/null/nowhere/" };
  await expect(findRedisServer(nowhere)).rejects.toThrow(/Put redis-server on PATH/);
});
