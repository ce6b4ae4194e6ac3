import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  defineHandlers,
  type HealthAnswer,
  type HealthHandlerOptions,
  healthHandler,
  json,
  rateLimited,
  TaskManager,
  type TaskManagerOptions,
} from "../../../src/index.js";
import { seededRandom } from "../../../src/testing/index.js";
import { createDurable } from "../../support/faulty-store.js";
import { createManager, thrownBy, untilAborted } from "../../support/manual-manager.js";

const nothing = () => {};
const mailing = defineHandlers({ mail: { payload: json<string>(), run: nothing } });
const forEver = () => new Promise<never>(() => {});

/** A server on a port of its own, until the test is over. */
async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

interface Asked {
  readonly status: number;
  readonly answer: HealthAnswer;
  readonly headers: Headers;
}

async function ask(port: number, path: string, method = "GET"): Promise<Asked> {
  const { status, headers, ...response } = await fetch(`http://127.0.0.1:${port}${path}`, { method }).then(
    async (got) => ({ status: got.status, headers: got.headers, text: await got.text() }),
  );
  const answer = (response.text === "" ? undefined : JSON.parse(response.text)) as HealthAnswer;
  return { status, answer, headers };
}

/** What a server says to these bytes, until it closes the connection. */
function send(port: number, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = connect(port, "127.0.0.1", () => socket.end(bytes));
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      said += text;
    });
    socket.on("error", () => {}); // a reset, where the server does not read to the end
    socket.on("close", () => resolve(said));
  });
}

async function probed(options: TaskManagerOptions = {}, handlerOptions?: HealthHandlerOptions) {
  const { clock, tasks } = createManager(options);
  const port = await serve(healthHandler(tasks, handlerOptions));
  const live = async () => toBrief(await ask(port, "/livez"));
  const ready = async () => toBrief(await ask(port, "/readyz"));
  return { clock, tasks, port, live, ready };
}

function toBrief({ status, answer: { reasons, concerns } }: Asked): readonly unknown[] {
  return [status, [...reasons], [...concerns]];
}

const OK = [200, [], []];

describe("the health handler", () => {
  it("answers that a manager is live and ready, as JSON that nobody is to keep", async () => {
    const { port } = await probed();
    for (const path of ["/livez", "/readyz", "/livez?verbose=1", "/readyz#x"]) {
      const { status, answer, headers } = await ask(port, path);
      expect([status, answer]).toEqual([200, { status: "ok", reasons: [], concerns: [] }]);
      expect(headers.get("content-type")).toBe("application/json");
      expect(headers.get("cache-control")).toBe("no-store");
    }
    const head = await ask(port, "/readyz", "HEAD");
    expect([head.status, head.answer, head.headers.get("content-length")]).toEqual([200, undefined, "42"]);
  });

  it("knows two paths and two methods, and says so of all else", async () => {
    const { port } = await probed();
    for (const path of ["/", "/healthz", "/livez/", "/LIVEZ", "/x/livez", "//livez", "/%6civez"]) {
      expect([path, (await ask(port, path)).status]).toEqual([path, 404]);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      const { status, headers, answer } = await ask(port, "/livez", method);
      expect([method, status, headers.get("allow")]).toEqual([method, 405, "GET, HEAD"]);
      expect(answer).toEqual({ status: "method-not-allowed" });
      expect((await ask(port, "/other", method)).status).toBe(404);
    }
  });

  it("shows that the store is not reached or has lost what it had, which no restart would mend", async () => {
    const { clock, link, tasks } = createDurable({ handlers: mailing });
    const port = await serve(healthHandler(tasks));
    const probe = async (path: string) => toBrief(await ask(port, path));
    await clock.advance(1);
    expect(await probe("/readyz")).toEqual(OK);
    link.tellOfLoss();
    link.hang("claim");
    await clock.advance(60_000);
    const concerns = ["store-unreachable", "store-lost"];
    for (const path of ["/livez", "/readyz"]) expect(await probe(path)).toEqual([200, [], concerns]);
  });

  it("goes on being live and ready while the manager only rests: paused, limited, or not started", async () => {
    const { clock, tasks, live, ready } = await probed({ autoStart: false });
    expect([await live(), await ready()]).toEqual([
      [200, [], ["not-started"]],
      [200, [], ["not-started"]],
    ]);
    tasks.start();
    await tasks.pause();
    expect([await live(), await ready()]).toEqual([
      [200, [], ["paused"]],
      [200, [], ["paused"]],
    ]);
    tasks.resume();
    tasks.enqueue(() => {
      throw rateLimited({ retryAfterMs: 1_000, scope: "all" });
    });
    await clock.settle();
    expect([await live(), await ready()]).toEqual([
      [200, [], ["rate-limited"]],
      [200, [], ["rate-limited"]],
    ]);
  });

  it("says not ready from the beginning of a stop, and not live from its end", async () => {
    const { clock, tasks, live, ready } = await probed();
    tasks.enqueue(untilAborted);
    await clock.settle();
    const stopped = tasks.stopGraceful({ deadlineMs: 2_000 });
    expect([await live(), await ready()]).toEqual([
      [200, [], ["stopping"]],
      [503, ["stopping"], ["stopping"]],
    ]);
    await clock.advance(1_000);
    await stopped;
    const over = [503, ["stopped"], ["stopped"]];
    expect([await live(), await ready()]).toEqual([over, over]);
  });

  it("says not ready while it is full, but where that is all right", async () => {
    const { clock, tasks, live, ready } = await probed({ capacity: 2, autoStart: false });
    tasks.enqueue(nothing);
    expect(await ready()).toEqual([200, [], ["not-started"]]);
    tasks.enqueue(nothing, { delayMs: 10 });
    expect([await live(), await ready()]).toEqual([
      [200, [], ["not-started"]],
      [503, ["full"], ["not-started"]],
    ]);
    const port = await serve(healthHandler(tasks, { readyWhenFull: true }));
    expect((await ask(port, "/readyz")).status).toBe(200);
    tasks.start();
    await clock.advance(10);
    expect(await ready()).toEqual(OK);
  });

  it("says not ready while a task waits for too long, where it is told how long that is", async () => {
    const { clock, tasks, ready } = await probed({ concurrency: 1 }, { maxOldestWaitMs: 100 });
    tasks.enqueue(untilAborted);
    tasks.enqueue(nothing, { name: "s3cret" });
    await clock.advance(100);
    expect(await ready()).toEqual(OK);
    await clock.advance(1);
    expect(await ready()).toEqual([503, ["waiting-too-long"], []]);
    await tasks.cancelAll();
    expect(await ready()).toEqual(OK);
  });

  it("asks for a restart when abandoned attempts hold every slot, and not before", async () => {
    const { clock, tasks, live, ready } = await probed({
      ...{ concurrency: 2, maxAbandoned: 0, timeoutMs: 5, killAfterMs: 5 },
    });
    let finish = nothing;
    tasks.enqueue(() => new Promise<void>((resolve) => (finish = resolve)));
    await clock.advance(10);
    const concerns = ["abandoned-holding-slots"];
    expect([await live(), await ready()]).toEqual([
      [200, [], concerns],
      [200, [], concerns],
    ]);
    tasks.enqueue(forEver);
    await clock.advance(10);
    expect([await live(), await ready()]).toEqual([
      [503, concerns, concerns],
      [503, concerns, concerns],
    ]);
    finish();
    await clock.settle();
    expect(await live()).toEqual([200, [], concerns]);
  });

  it("answers below a prefix that a framework cuts off, and under other paths", async () => {
    const { tasks } = createManager();
    const handler = healthHandler(tasks, { livePath: "/alive", readyPath: "/" });
    const port = await serve((request, response) => {
      request.url = (request.url ?? "").slice("/internal/health".length) || "/";
      handler(request, response);
    });
    expect((await ask(port, "/internal/health/alive")).status).toBe(200);
    expect((await ask(port, "/internal/health")).status).toBe(200);
    expect((await ask(port, "/internal/health/livez")).status).toBe(404);
  });

  it("refuses what is no manager, and options that make no sense", () => {
    const tasks = new TaskManager();
    const option = (call: () => unknown) => (thrownBy(call) as { option?: string }).option;
    expect(option(() => healthHandler({} as never))).toBe("tasks");
    expect(option(() => healthHandler(tasks, { livePath: "livez" }))).toBe("livePath");
    expect(option(() => healthHandler(tasks, { readyPath: "/a?b" }))).toBe("readyPath");
    expect(option(() => healthHandler(tasks, { readyPath: "/livez" }))).toBe("readyPath");
    expect(option(() => healthHandler(tasks, { maxOldestWaitMs: -1 }))).toBe("maxOldestWaitMs");
    expect(option(() => healthHandler(tasks, { readyWhenFull: 1 as never }))).toBe("readyWhenFull");
    expect(option(() => healthHandler(tasks, { path: "/" } as never))).toBe("path");
  });
});

describe("whatever comes over the wire, the health handler", () => {
  const request = (line: string) => `${line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
  const targets: readonly [target: string, status: number][] = [
    ["http://example.org/livez", 200],
    ["HTTP://example.org:8080/readyz?x=http://y/", 200],
    ["http://example.org", 404],
    ["http:///livez", 200],
    ["ftp://example.org/livez", 404],
    ["//example.org/livez", 404],
    ["/livez/../readyz", 404],
    ["/%", 404],
    ["/%00%ff", 404],
    ["/\u00ff\u00fe", 404],
    ["*", 404],
    ["?", 404],
    ["#", 404],
    ["http://[::1", 404],
    ["/constructor", 404],
    ["/__proto__", 404],
    [`/${"a".repeat(15_000)}`, 404],
    [`/livez?${"a".repeat(15_000)}`, 200],
  ];

  it("answers each target with what is known of it", async () => {
    const { port } = await probed();
    for (const [target, status] of targets) {
      const [line = ""] = (await send(port, Buffer.from(request(`GET ${target}`), "latin1"))).split("\r\n");
      expect([target.slice(0, 40), line.split(" ")[1]]).toEqual([
        target.slice(0, 40),
        // What Node's parser refuses does not come to the handler.
        line.startsWith("HTTP/1.1 400") ? "400" : String(status),
      ]);
    }
    expect(await send(port, request(`GET /${"a".repeat(100_000)}`))).toContain(" 431 ");
    expect(await send(port, request("HEAD /livez"))).toMatch(/content-length: 42\r\n[^{]*$/);
    const posted = "POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
    expect(await send(port, posted)).toContain(" 405 ");
  });

  it("survives noise", async () => {
    const { port, live } = await probed();
    const random = seededRandom(7);
    for (let count = 0; count < 50; count++) {
      const noise = Uint8Array.from({ length: 200 }, () => Math.floor(random.next() * 256));
      const said = await send(port, count % 2 === 0 ? noise : Buffer.concat([Buffer.from("GET /"), noise]));
      expect(said).toMatch(/^(HTTP\/1\.1 4|$)/);
    }
    expect(await live()).toEqual(OK);
  });

  it("throws nothing where it is given what is no request, or a response that is spent", async () => {
    const { tasks } = createManager();
    const handler = healthHandler(tasks);
    const statuses: number[] = [];
    const response = {
      writeHead: (status: number) => statuses.push(status),
      end: () => {},
    } as unknown as ServerResponse;
    for (const url of [undefined, null, 7, {}, "", Symbol("x")]) {
      handler({ method: "GET", url } as unknown as IncomingMessage, response);
    }
    handler({ url: "/livez" } as IncomingMessage, response);
    expect(statuses).toEqual([404, 404, 404, 404, 404, 404, 405]);
    handler({} as IncomingMessage, {} as ServerResponse);
    handler(undefined as never, undefined as never);
    const port = await serve((request, spent) => {
      spent.writeHead(204).end();
      handler(request, spent);
    });
    expect(await send(port, request("GET /livez"))).toContain(" 204 ");
  });

  it("says unknown where the manager cannot be asked, and not why", async () => {
    class Broken extends TaskManager {
      override health(): never {
        throw new Error("s3cret");
      }
    }
    const port = await serve(healthHandler(new Broken()));
    for (const path of ["/livez", "/readyz"]) {
      const { status, answer } = await ask(port, path);
      expect([status, answer]).toEqual([503, { status: "unavailable", reasons: ["unknown"], concerns: [] }]);
    }
  });
});
