import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RedisBackendOptions, redisBackend } from "../../../src/adapters/redis/index.js";
import { StoreUnreachableError } from "../../../src/store-errors.js";
import { newTask } from "../../../src/testing/conformance/backend/stored-things.js";
import { LogRecorder } from "../../support/log-recorder.js";
import { freePort, RedisServer } from "../../support/redis-server.js";

const execute = promisify(execFile);

let folder: string;
let server: RedisServer;
let port: number;
let ca: Buffer;

/** A certificate for `localhost` alone, signed by itself. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-tls-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const kind = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"];
  const files = ["-keyout", key, "-out", certificate, "-addext", "subjectAltName=DNS:localhost"];
  await execute("openssl", ["req", "-x509", ...kind, ...files]);
  ca = await readFile(certificate);
  port = await freePort();
  const tls = { "tls-cert-file": certificate, "tls-key-file": key, "tls-auth-clients": "no" };
  server = await RedisServer.start({ settings: { "tls-port": String(port), ...tls } });
}, 150_000);

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function tryOut(options: RedisBackendOptions): Promise<unknown> {
  const backend = redisBackend({ commandTimeoutMs: 1_000, ...options });
  try {
    return await backend.enqueue("r", [newTask("q:a")]);
  } catch (error) {
    return error;
  } finally {
    await backend.close();
  }
}

describe("TLS (V10)", () => {
  test("is used where the certificate is trusted, and names the host", async () => {
    const options = { host: "localhost", port, tls: { ca } };
    expect(await tryOut({ options })).toEqual([{ outcome: "kept", replaced: undefined }]);
  });

  test("is refused for a certificate that nobody vouches for", async () => {
    const error = await tryOut({ url: `rediss://localhost:${port}` });
    expect(error).toBeInstanceOf(StoreUnreachableError);
    expect(String((error as Error).cause)).toMatch(/self-signed certificate/);
  });

  test("is refused for a certificate of another host", async () => {
    const error = await tryOut({ options: { host: "127.0.0.1", port, tls: { ca } } });
    expect(error).toBeInstanceOf(StoreUnreachableError);
    expect(String((error as Error).cause)).toMatch(/does not match certificate/);
  });

  test("is used without a check where that is asked for, and not in silence", async () => {
    const log = new LogRecorder();
    const options = { host: "127.0.0.1", port, tls: { rejectUnauthorized: false } };
    expect(await tryOut({ options, logger: log })).toEqual([{ outcome: "kept", replaced: undefined }]);
    expect(log.ends).toContain(
      "warn: the certificate of Redis is not checked: anybody may answer in its place",
    );
  });

  test("is not given up for a server that does not speak it", async () => {
    expect(await tryOut({ url: `rediss://localhost:${server.port}` })).toBeInstanceOf(StoreUnreachableError);
  });
});
