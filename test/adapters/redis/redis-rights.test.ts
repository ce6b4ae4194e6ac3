import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisBackend } from "../../../src/adapters/redis/index.js";
import { StoreRefusedError } from "../../../src/store-errors.js";
import { newTask } from "../../../src/testing/conformance/backend/stored-things.js";
import { RedisScene } from "../../support/redis-scene.js";
import { RedisServer } from "../../support/redis-server.js";
import { leastRights, leastUser } from "../../support/redis-user.js";

let server: RedisServer;
let scene: RedisScene;

beforeAll(async () => {
  server = await RedisServer.start({ appendOnly: "everysec" });
  scene = await RedisScene.open(server, { prefix: "shop" });
}, 150_000);

afterAll(async () => {
  await scene.close();
  await server[Symbol.asyncDispose]();
});

describe("a user with the rights that the README names (V9)", () => {
  test("is what the README says", () => {
    const readme = readFileSync(new URL("../../../src/adapters/redis/README.md", import.meta.url), "utf8");
    const told = readme.match(/ACL SETUSER millrace on >PASSWORD ([^`]*?)\n```/)?.[1] ?? "";
    expect(told.split(/[\s\\]+/)).toEqual(leastRights("millrace"));
  });

  test("does without each key that is not ours", async () => {
    const url = await leastUser(scene.raw, server.url, "shop");
    const own = redisBackend({ url, prefix: "shop" });
    const foreign = redisBackend({ url, prefix: "bank" });
    expect(await own.enqueue("r", [newTask("q:a")])).toEqual([{ outcome: "kept", replaced: undefined }]);
    await expect(foreign.enqueue("r", [newTask("q:a")])).rejects.toBeInstanceOf(StoreRefusedError);
    expect(await scene.raw.keys("{bank:*")).toEqual([]);
    await own.close();
    await foreign.close();
  });

  test.each(["+evalsha", "+msetnx", "+zadd", "+publish", "+time"])(
    "is told when %s is missing",
    async (right) => {
      await leastUser(scene.raw, server.url, "shop");
      await scene.raw.call("ACL", "SETUSER", "millrace", right.replace("+", "-"));
      const backend = redisBackend({ url: server.url.replace("//", "//millrace:secret@"), prefix: "shop" });
      await expect(backend.enqueue(`r${right}`, [newTask(`q:${right}`)])).rejects.toBeInstanceOf(
        StoreRefusedError,
      );
      await backend.close();
    },
  );
});
