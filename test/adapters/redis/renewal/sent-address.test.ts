import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { readRedisOptions } from "../../../../src/adapters/redis/redis-options.js";
import { toSentAddress } from "../../../../src/adapters/redis/renewal/sent-address.js";
import { OptionError } from "../../../../src/errors.js";

test("a URL goes to a thread as it is, and options without those that count for nothing", () => {
  expect(toSentAddress({ url: "redis://host" })).toEqual({ url: "redis://host" });
  const ca = Buffer.from("a certificate");
  const options = { host: "host", tls: { ca }, retryStrategy: () => 1, keyPrefix: "x" };
  const sent = toSentAddress({ options });
  expect(sent).toEqual({ options: { host: "host", tls: { ca: new Uint8Array(ca) } } });
});

test("a client is not sent, nor options with a function that would be missed there", () => {
  expect(toSentAddress({ client: new Redis({ lazyConnect: true }) })).toBeUndefined();
  const tls = { checkServerIdentity: () => undefined };
  expect(toSentAddress({ options: { host: "host", tls } })).toBeUndefined();
});

test("a module is sent by its URL, which nobody can change any more", () => {
  const module = new URL("file:///a/module.js");
  const { renewal } = readRedisOptions({ url: "redis://host", renewal: { module } });
  module.pathname = "/another.js";
  expect(renewal && toSentAddress(renewal)).toEqual({ module: "file:///a/module.js" });
});

test("where the thread finds Redis is where the backend does, unless it is said", () => {
  const url = "redis://host";
  expect(readRedisOptions({ url }).renewal).toEqual({ url });
  expect(readRedisOptions({ url, renewal: false }).renewal).toBe(false);
  const options = { host: "other" };
  expect(readRedisOptions({ url, renewal: { options } }).renewal).toEqual({ options });
  const module = new URL("file:///a/module.js");
  const wrong = [
    ...[{}, { url, options }, { url, module }, { options, module }, { url: "http://host" }, { uri: url }],
    ...[true, { module: "./module.js" }, { module: new URL("https://host/module.js") }],
  ];
  for (const renewal of wrong)
    expect(() => readRedisOptions({ url, renewal: renewal as never })).toThrow(OptionError);
});
