import { describe, expect, it } from "vitest";
import {
  type CircuitBreakerOptions,
  circuitBreaker,
  LeaseLostError,
  NotAcceptingError,
  OptionError,
  reschedule,
  skipRetry,
  type TaskContext,
} from "../../../src/index.js";
import { ManualClock } from "../../../src/testing/index.js";
import { rejectionOf, thrownBy, untilAborted } from "../../support/manual-manager.js";
import {
  type ObservedManager,
  type ObservedOptions,
  observeManager,
  Stubborn,
} from "../../support/observed-manager.js";

/** A service that fails until it is mended, behind a circuit that opens at two failures, for a second. */
class Service {
  readonly manager: ObservedManager;
  readonly clock = new ManualClock();
  failing = true;
  calls = 0;

  constructor(breaker: CircuitBreakerOptions = {}, options: ObservedOptions = {}) {
    const settings = { consecutiveFailures: 2, resetAfterMs: 1_000, clock: this.clock, ...breaker };
    this.manager = observeManager({ ...options, clock: this.clock, middleware: [circuitBreaker(settings)] });
  }

  readonly call = (): string => {
    this.calls++;
    if (this.failing) throw new Error("out of order");
    return "served";
  };

  /** Two failures, which open the circuit. */
  async open(): Promise<void> {
    this.failing = true;
    for (let count = 0; count < 2; count++) await rejectionOf(this.manager.enqueue(this.call).result());
    this.calls = 0;
  }
}

describe("a closed circuit", () => {
  it("lets everything through, and gives what the handler gives", async () => {
    const { manager, call } = new Service({ consecutiveFailures: 3 });
    for (let count = 0; count < 2; count++)
      expect(await rejectionOf(manager.enqueue(call).result())).toMatchObject({ message: "out of order" });
    expect(await manager.enqueue(() => "value").result()).toBe("value");
  });

  it("counts failures in a row alone: a success between them begins anew", async () => {
    const service = new Service();
    const { manager, call } = service;
    for (let round = 0; round < 5; round++) {
      service.failing = round % 2 === 0;
      await Promise.allSettled([manager.enqueue(call).result()]);
    }
    expect(service.calls).toBe(5);
    expect(manager.stats().total.rescheduled).toBe(0);
  });

  it("counts timeouts, also of handlers that ignore their signal", async () => {
    const { manager, clock, call } = new Service({}, { timeoutMs: 100, killAfterMs: 50 });
    manager.enqueue(() => new Promise(() => {}));
    manager.enqueue(() => new Promise(() => {}));
    await clock.advance(100);
    const handle = manager.enqueue(call);
    await clock.settle();
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", reason: "rescheduled", attempt: 0 });
    await clock.advance(50);
    expect(manager.stats().total.abandoned).toBe(2);
  });

  it("counts neither steering nor attempts that were cancelled", async () => {
    const { manager, clock } = new Service({ consecutiveFailures: 1 });
    let calls = 0;
    const steering = manager.enqueue(() => {
      if (++calls === 1) throw reschedule({ delayMs: 5 });
      throw skipRetry(new Error("bad input"));
    });
    await clock.advance(5);
    await rejectionOf(steering.result());
    const cancelled = manager.enqueue(untilAborted);
    await clock.settle();
    cancelled.cancel("not needed");
    await rejectionOf(cancelled.result());
    expect(await manager.enqueue(() => "let through").result()).toBe("let through");
  });

  it.each([
    ["a lost lease", new LeaseLostError("it may run elsewhere", "default:1")],
    ["a refusal of a manager that stops", new NotAcceptingError("it stops")],
    ["what comes of one", new Error("could not go on", { cause: new NotAcceptingError("it stops") })],
  ])("does not count %s, which says nothing of the service", async (_, error) => {
    const { manager } = new Service({ consecutiveFailures: 1 });
    expect(await rejectionOf(manager.enqueue(() => Promise.reject(error)).result())).toBe(error);
    expect(await manager.enqueue(() => "let through").result()).toBe("let through");
  });

  it("is not opened by failures of attempts that began before it opened and closed again", async () => {
    const service = new Service();
    const { manager, clock, call } = service;
    const old = [new Stubborn(), new Stubborn()];
    const handles = old.map(({ run }) => manager.enqueue(run));
    await clock.settle();
    await service.open();
    service.failing = false;
    await clock.advance(1_000);
    expect(await manager.enqueue(call).result()).toBe("served");
    for (const one of old) one.reject(new Error("of the time before"));
    for (const handle of handles) await rejectionOf(handle.result());
    expect(await manager.enqueue(call).result()).toBe("served");
    expect(manager.stats().total.rescheduled).toBe(0);
  });
});

describe("an open circuit", () => {
  it("reschedules tasks for when it is due, without running them and without using an attempt", async () => {
    const service = new Service();
    const { manager, clock, call } = service;
    await service.open();
    await clock.advance(400);
    const handle = manager.enqueue(call);
    await clock.settle();
    expect(service.calls).toBe(0);
    expect(manager.get(handle.id)).toMatchObject({ state: "scheduled", reason: "rescheduled", attempt: 0 });
    service.failing = false;
    await clock.advance(599);
    expect(handle.state).toBe("scheduled");
    await clock.advance(1);
    expect(await handle.result()).toBe("served");
    expect(manager.stats().total).toMatchObject({ rescheduled: 1 });
  });

  it("does not mind the calendar", async () => {
    const service = new Service();
    await service.open();
    service.clock.shiftWall(-3_600_000);
    service.failing = false;
    const handle = service.manager.enqueue(service.call);
    await service.clock.advance(1_000);
    expect(await handle.result()).toBe("served");
  });

  it("does not hold a stop up", async () => {
    const service = new Service();
    await service.open();
    const handle = service.manager.enqueue(service.call);
    await service.clock.settle();
    expect(await service.manager.stopGraceful({ deadlineMs: 1_500 })).toMatchObject({ alive: 1 });
    expect(handle.state).toBe("cancelled");
  });
});

describe("a circuit that is due", () => {
  it("lets one attempt through, and closes when that succeeds", async () => {
    const service = new Service();
    const { manager, clock, call } = service;
    await service.open();
    const trial = new Stubborn<string>();
    await clock.advance(1_000);
    const first = manager.enqueue(trial.run);
    const others = manager.enqueueMany([call, call, call]);
    service.failing = false;
    await clock.advance(350);
    expect([first.state, service.calls]).toEqual(["running", 0]);
    for (const { id } of others) expect(manager.get(id)).toMatchObject({ state: "scheduled", attempt: 0 });
    trial.resolve("back in order");
    await clock.advance(50);
    expect(await first.result()).toBe("back in order");
    for (const other of others) expect(await other.result()).toBe("served");
  });

  it("opens again when that fails, for as long as before", async () => {
    const service = new Service();
    const { manager, clock, call } = service;
    await service.open();
    for (let round = 0; round < 3; round++) {
      const handles = manager.enqueueMany([call, call]);
      await clock.advance(1_000);
      expect(service.calls).toBe(round + 1);
      expect(handles.filter(({ state }) => state === "failed").length).toBeLessThan(2);
    }
    service.failing = false;
    await clock.advance(2_000);
    expect(manager.stats()).toMatchObject({ scheduled: 0, running: 0 });
  });

  it("takes a trial that times out for a failure, though its handler goes on for ever", async () => {
    const service = new Service({}, { timeoutMs: 100, killAfterMs: 50 });
    const { manager, clock, call } = service;
    await service.open();
    await clock.advance(1_000);
    manager.enqueue(() => new Promise(() => {}));
    await clock.advance(100);
    const handle = manager.enqueue(call);
    service.failing = false;
    await clock.advance(999);
    expect([handle.state, service.calls]).toEqual(["scheduled", 0]);
    await clock.advance(1);
    expect(await handle.result()).toBe("served");
  });

  it("lets the next attempt be the trial where one was cancelled, or steered", async () => {
    const service = new Service();
    const { manager, clock, call } = service;
    await service.open();
    await clock.advance(1_000);
    const cancelled = manager.enqueue(untilAborted);
    await clock.settle();
    cancelled.cancel("not needed");
    await clock.settle();
    let calls = 0;
    const steering = manager.enqueue(() => {
      if (++calls === 1) throw reschedule({ delayMs: 5 });
      return "later";
    });
    await clock.settle();
    expect(calls).toBe(1);
    await rejectionOf(manager.enqueue(call).result());
    expect(service.calls).toBe(1);
    const held = manager.enqueue(call);
    await clock.advance(500);
    expect([held.state, service.calls, steering.state]).toEqual(["scheduled", 1, "scheduled"]);
    service.failing = false;
    await clock.advance(600);
    expect(await held.result()).toBe("served");
    expect(await steering.result()).toBe("later");
  });

  it("never has two trials at once, whatever ends meanwhile", async () => {
    const service = new Service();
    const { manager, clock } = service;
    let [running, most] = [0, 0];
    const old = new Stubborn();
    manager.enqueue(old.run);
    await clock.settle();
    await service.open();
    const work = async ({ signal }: TaskContext) => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve());
      });
      running--;
    };
    manager.enqueueMany(Array.from({ length: 10 }, () => [work, { timeoutMs: 400 }] as const));
    await clock.advance(1_100);
    expect(running).toBe(1);
    old.reject(new Error("of the time before"));
    await clock.advance(20_000);
    expect(most).toBe(1);
    expect(manager.stats()).toMatchObject({ running: 0, scheduled: 0, total: { timedOut: 10 } });
  });
});

describe("the scope of a circuit", () => {
  it("is the queue, where plain functions do the work", async () => {
    const service = new Service();
    await service.open();
    service.failing = false;
    const held = service.manager.enqueue(service.call);
    expect(await service.manager.enqueue(service.call, { queue: "other" }).result()).toBe("served");
    expect(held.state).toBe("scheduled");
  });

  it("is the handler where there is one, whatever the queue", async () => {
    const { attempt } = circuitBreaker({ consecutiveFailures: 1, clock: new ManualClock() });
    const { signal } = new AbortController();
    const call = (handler: string | undefined, queue: string, next: () => Promise<unknown>) =>
      attempt?.({ handler, queue, signal } as unknown as TaskContext, next) as Promise<unknown>;
    const failing = () => Promise.reject(new Error("out of order"));
    await rejectionOf(call("mail", "one", failing));
    expect(await rejectionOf(call("mail", "two", async () => 1))).toMatchObject({ steering: "reschedule" });
    expect(await call("sms", "one", async () => 1)).toBe(1);
    expect(await call(undefined, "mail", async () => 1)).toBe(1);
  });

  it("is what a function says", async () => {
    const service = new Service({ per: ({ metadata }) => String(metadata["host"]) });
    const { manager, call } = service;
    const metadata = { host: "a" };
    for (let count = 0; count < 2; count++)
      await rejectionOf(manager.enqueue(call, { metadata, queue: `q${count}` }).result());
    service.failing = false;
    const held = manager.enqueue(call, { metadata });
    expect(await manager.enqueue(call, { metadata: { host: "b" } }).result()).toBe("served");
    expect(held.state).toBe("scheduled");
  });

  it("fails the attempt where the function throws or gives no text, and never runs the handler", async () => {
    let key: () => unknown = () => 5;
    const service = new Service({ per: () => key() as string });
    service.failing = false;
    expect(await rejectionOf(service.manager.enqueue(service.call).result())).toBeInstanceOf(OptionError);
    key = () => {
      throw new RangeError("no key");
    };
    expect(await rejectionOf(service.manager.enqueue(service.call).result())).toBeInstanceOf(RangeError);
    expect(service.calls).toBe(0);
  });

  it("forgets the circuit that was used longest ago, beyond a thousand", async () => {
    const service = new Service({ per: ({ metadata }) => String(metadata["key"]), consecutiveFailures: 1 });
    const { manager, call } = service;
    const use = (key: number) => manager.enqueue(call, { metadata: { key } });
    for (const key of [0, 1]) await rejectionOf(use(key).result());
    service.failing = false;
    for (let key = 2; key < 1_000; key++) await use(key).result();
    const held = use(0); // used again, so that 1 is the one of longest ago
    await manager.clock.settle();
    expect(held.state).toBe("scheduled");
    await use(1_000).result();
    expect(await use(1).result()).toBe("served");
    const still = use(0);
    await manager.clock.settle();
    expect(still.state).toBe("scheduled");
  });
});

describe("the options of a circuit breaker", () => {
  it.each([
    ["consecutiveFailures", 0],
    ["consecutiveFailures", 1.5],
    ["resetAfterMs", 0],
    ["resetAfterMs", Number.NaN],
    ["per", "task"],
    ["clock", {}],
    ["resetMs", 5],
  ])("refuse %s of %s", (option, value) => {
    const error = thrownBy(() => circuitBreaker({ [option]: value } as never));
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ option });
  });

  it("have defaults: five failures, thirty seconds, the system's clock", async () => {
    const manager = observeManager({ middleware: [circuitBreaker()] });
    const fail = () => Promise.reject(new Error("out of order"));
    for (let count = 0; count < 5; count++) await rejectionOf(manager.enqueue(fail).result());
    const held = manager.enqueue(fail);
    await manager.clock.settle();
    expect(held.state).toBe("scheduled");
    const delays = manager.events.flatMap((event) => (event.type === "rescheduled" ? [event.delayMs] : []));
    expect(delays).toHaveLength(1);
    expect(delays[0]).toBeGreaterThan(0);
    expect(delays[0]).toBeLessThanOrEqual(30_000);
  });
});
