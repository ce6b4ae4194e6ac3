import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { RespFrames } from "./resp-frames.js";

/**
 * What happens to one command or reply, and to its connection:
 *
 * - `cut`: it does not arrive, and both sides see the connection closed
 * - `delay`: it arrives late, and with it what follows
 * - `black-hole`: neither it nor anything after it arrives, in either direction; no side sees anything of that
 * - `half-open`: it does not arrive; the server sees the connection closed, and the client does not
 */
export type FaultKind = "cut" | "delay" | "black-hole" | "half-open";

export interface Frame {
  readonly kind: "command" | "reply";
  /** Counted over all connections, from 1. */
  readonly number: number;
  readonly bytes: Buffer;
  /** Counted from 1. */
  readonly connection: number;
}

/**
 * Says what happens to a frame; undefined lets it pass. For a delay, how long it is in milliseconds; else what
 * passes in its place.
 */
export type ChooseFault = (frame: Frame) => FaultKind | Delay | Forgery | undefined;

interface Delay {
  readonly delayMs: number;
}

interface Forgery {
  readonly instead: string | Uint8Array;
}

/** How long a `delay` is of which nobody says it. */
const DELAY_MS = 150;

/** A way to Redis on this machine that goes wrong when it is told to. */
export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #choose: ChooseFault;
  readonly #sockets = new Set<Socket>();
  readonly #counts = { command: 0, reply: 0 };
  #links = 0;
  /** What has gone wrong so far. */
  faults = 0;

  private constructor(targetPort: number, choose: ChooseFault) {
    this.#targetPort = targetPort;
    this.#choose = choose;
    this.#server = createServer((client) => this.#join(client));
  }

  static async start(targetPort: number, choose: ChooseFault): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, choose);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get counts(): Readonly<Record<Frame["kind"], number>> {
    return this.#counts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(client: Socket): void {
    const server = connect(this.#targetPort, "127.0.0.1");
    const link: Link = { client, server, number: ++this.#links, isDead: false };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on("error", () => {}); // what comes of it is its close
    }
    client.on("close", () => this.#closed(client, server, true));
    server.on("close", () => this.#closed(server, client, !link.isDead));
    this.#pass("command", client, server, link);
    this.#pass("reply", server, client, link);
  }

  #closed(socket: Socket, other: Socket, isPassedOn: boolean): void {
    this.#sockets.delete(socket);
    if (isPassedOn) other.destroy();
  }

  #pass(kind: Frame["kind"], from: Socket, to: Socket, link: Link): void {
    const frames = new RespFrames();
    let before: Promise<void> | undefined;
    from.on("data", (bytes: Buffer) => {
      for (const frame of frames.add(bytes)) {
        const passed: Passed = link.isDead ? { bytes: frame } : this.#meet(kind, frame, link);
        if (link.isDead) return;
        if (before === undefined && passed.delayMs === undefined) {
          to.write(passed.bytes);
        } else {
          const wait = later(before, passed.delayMs ?? 0).then(() => {
            if (!link.isDead && !to.destroyed) to.write(passed.bytes);
            if (before === wait) before = undefined;
          });
          before = wait;
        }
      }
    });
  }

  /** What passes of a frame, and how late; the connection may be dead now. */
  #meet(kind: Frame["kind"], bytes: Buffer, link: Link): Passed {
    const fault = this.#choose({ kind, number: ++this.#counts[kind], bytes, connection: link.number });
    if (fault === undefined) return { bytes };
    this.faults++;
    if (fault === "delay") return { bytes, delayMs: DELAY_MS };
    if (typeof fault === "object")
      return "instead" in fault ? { bytes: fault.instead } : { bytes, delayMs: fault.delayMs };
    link.isDead = true;
    if (fault !== "black-hole") link.server.destroy();
    if (fault === "cut") link.client.destroy();
    return { bytes };
  }
}

interface Passed {
  readonly bytes: string | Uint8Array;
  readonly delayMs?: number;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly number: number;
  /** Nothing passes any more. */
  isDead: boolean;
}

/** So long after this call, and not before what came before: what is on its way together is late together. */
async function later(before: Promise<void> | undefined, delayMs: number): Promise<void> {
  await Promise.all([before, new Promise((resolve) => setTimeout(resolve, delayMs))]);
}
