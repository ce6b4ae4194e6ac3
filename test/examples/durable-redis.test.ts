import { expect, onTestFinished, test } from "vitest";
import { startChild } from "../support/child-process.js";
import { compiledExample } from "../support/compiled-examples.js";
import { RedisServer } from "../support/redis-server.js";
import { readProjectFile } from "../tidy/sources.js";
import { promised } from "./promised.js";

/** Starts one of the programs. */
function start(path: string, redisUrl: string) {
  return startChild(["env", `REDIS_URL=${redisUrl}`, process.execPath, compiledExample(path)]);
}

test("the producer and the worker over Redis print what they say", async () => {
  await using redis = await RedisServer.start();
  const [producing, working] = ["examples/durable-redis/producer.ts", "examples/durable-redis/worker.ts"];
  const producer = start(producing, redis.url); // before there is anybody to do the work
  await producer.hasWritten("mail:42 is a duplicate: true");
  const worker = start(working, redis.url);
  onTestFinished(() => {
    for (const child of [producer, worker]) child.process.kill("SIGKILL");
  });

  const produced = await producer.ended;
  expect(produced).toMatchObject({ code: 0, stderr: "", stdout: promised(readProjectFile(producing)) });
  worker.process.kill("SIGTERM");
  const worked = await worker.ended;
  expect(worked).toMatchObject({ code: 143, stderr: "", stdout: promised(readProjectFile(working)) });
}, 60_000);
