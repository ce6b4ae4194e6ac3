import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EventStream } from "../../../src/core/events/event-stream.js";
import { ObserverErrors } from "../../../src/core/events/observer-errors.js";
import type { TaskEvent } from "../../../src/task/task-event.js";

/** Events that can be told apart. */
function createEvent(): TaskEvent {
  return { type: "stopping", graceful: true };
}

/** A stream, and a log of who heard which of its events, by number. */
function createLog() {
  const errors = new ObserverErrors();
  const stream = new EventStream(errors);
  const numbers = new Map<TaskEvent, number>();
  const heard: string[] = [];
  const publish = () => {
    const event = createEvent();
    numbers.set(event, numbers.size + 1);
    stream.publish(event);
  };
  const listen = (name: string, also: (number: number) => void = () => undefined) =>
    stream.subscribe((event) => {
      const number = numbers.get(event) ?? 0;
      heard.push(`${name}${number}`);
      also(number);
    });
  return { stream, errors, publish, listen, heard };
}

describe("an event stream", () => {
  test("calls listeners in the order of their subscription, with the same event", () => {
    const stream = new EventStream(new ObserverErrors());
    const heard: TaskEvent[] = [];
    const order: string[] = [];
    for (const name of ["a", "b", "c"]) {
      stream.subscribe((event) => {
        order.push(name);
        heard.push(event);
      });
    }
    const event = createEvent();
    stream.publish(event);
    expect(order).toEqual(["a", "b", "c"]);
    expect(heard.every((each) => each === event)).toBe(true);
  });

  test("is active while somebody listens", () => {
    const stream = new EventStream(new ObserverErrors());
    expect(stream.active).toBe(false);
    const first = stream.subscribe(() => undefined);
    const second = stream.subscribe(() => undefined);
    first[Symbol.dispose]();
    expect(stream.active).toBe(true);
    second[Symbol.dispose]();
    expect(stream.active).toBe(false);
    expect(() => stream.publish(createEvent())).not.toThrow();
  });

  test("hears a type while somebody listens to it, or to everything", () => {
    const errors = new ObserverErrors();
    const stream = new EventStream(errors);
    const first = stream.subscribe(() => undefined, ["finished", "stopping", "finished"]);
    const second = stream.subscribe(() => undefined, ["finished"]);
    expect([stream.heard.finished > 0, stream.heard.started > 0, stream.active]).toEqual([true, false, true]);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect([stream.heard.finished > 0, stream.heard.stopping > 0]).toEqual([true, false]);
    second[Symbol.dispose]();
    expect([stream.heard.finished > 0, stream.active]).toEqual([false, false]);
    const third = stream.subscribe(() => undefined);
    expect([stream.heard.finished > 0, stream.heard.started > 0]).toEqual([true, true]);
    third[Symbol.dispose]();
    expect(stream.heard.started).toBe(0);
  });

  test("calls a listener for the types that it named, and for no other", () => {
    const errors = new ObserverErrors();
    const stream = new EventStream(errors);
    const heard: string[] = [];
    stream.subscribe(({ type }) => heard.push(type), ["resultDropped"]);
    stream.subscribe(({ type }) => heard.push(`any ${type}`));
    stream.subscribe(() => expect.unreachable("it named no type"), []);
    const drop = { id: "a", handler: undefined, queue: "default", subscription: "audit" };
    stream.publish(createEvent());
    stream.publish({ type: "resultDropped", ...drop });
    expect(heard).toEqual(["any stopping", "resultDropped", "any resultDropped"]);
    expect(errors.count).toBe(0);
  });

  test("tells which event is being delivered, how many were, and which are still to come", () => {
    const errors = new ObserverErrors();
    const stream = new EventStream(errors);
    const [first, second] = [createEvent(), createEvent()];
    const seen: unknown[] = [];
    stream.subscribe((event) => {
      if (event === first) stream.publish(second);
      seen.push([stream.delivering === event, stream.position, [...stream.undelivered()].length]);
    });
    stream.publish(first);
    expect(seen).toEqual([
      [true, 1, 1],
      [true, 2, 0],
    ]);
    expect([stream.delivering, stream.position]).toEqual([undefined, 2]);
  });

  test("gives each event to all before the next to any, also when a listener causes further ones", () => {
    const { publish, listen, heard } = createLog();
    listen("a", (number) => {
      if (number === 1) publish();
      if (number === 1) publish();
    });
    listen("b", (number) => {
      if (number === 2) publish();
    });
    publish();
    expect(heard).toEqual(["a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"]);
  });

  test("does not grow the stack with a chain of events", () => {
    const { publish, listen, heard } = createLog();
    listen("a", (number) => {
      if (number < 100_000) publish();
    });
    publish();
    expect(heard).toHaveLength(100_000);
  });

  test("counts a listener that throws, and calls the others all the same", () => {
    const { errors, publish, listen, heard } = createLog();
    listen("a", () => {
      throw new Error("careless");
    });
    listen("b", (number) => {
      if (number === 1) publish();
      throw undefined;
    });
    listen("c");
    expect(publish).not.toThrow();
    expect(heard).toEqual(["a1", "b1", "c1", "a2", "b2", "c2"]);
    expect(errors.count).toBe(4);
    publish();
    expect(heard).toHaveLength(9);
  });

  test("calls nobody after it was disposed, not even for the event that is being published", () => {
    const { publish, listen, heard } = createLog();
    const first = listen("a", () => second[Symbol.dispose]());
    const second = listen("b");
    const third = listen("c", () => {
      first[Symbol.dispose]();
      third[Symbol.dispose]();
      publish();
    });
    publish();
    expect(heard).toEqual(["a1", "c1"]);
    publish();
    expect(heard).toEqual(["a1", "c1"]);
  });

  test("calls one who subscribes during an event from the next event on", () => {
    const { publish, listen, heard } = createLog();
    let subscribed = false;
    listen("a", () => {
      if (!subscribed) listen("b");
      subscribed = true;
    });
    publish();
    expect(heard).toEqual(["a1"]);
    publish();
    expect(heard).toEqual(["a1", "a2", "b2"]);
  });

  test("takes a function that subscribes twice for two listeners, each with its own place and end", () => {
    const stream = new EventStream(new ObserverErrors());
    const heard: string[] = [];
    const twice = () => heard.push("twice");
    stream.subscribe(twice);
    stream.subscribe(() => heard.push("between"));
    const second = stream.subscribe(twice);
    second[Symbol.dispose]();
    second[Symbol.dispose]();
    stream.publish(createEvent());
    expect(heard).toEqual(["twice", "between"]);
  });

  test("does what a plain list would do, whoever comes, goes or throws", () => {
    const action = fc.oneof(
      fc.constant("publish" as const),
      fc.constant("subscribe" as const),
      fc.record({ dispose: fc.nat(20) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.nat(3), (actions, throwing) => {
        const { stream, errors, publish, listen, heard } = createLog();
        const subscriptions: { readonly name: string; readonly end: Disposable; live: boolean }[] = [];
        const expected: string[] = [];
        let published = 0;
        let thrown = 0;
        for (const each of actions) {
          if (each === "subscribe") {
            const index = subscriptions.length;
            const end = listen(`${index}:`, () => {
              if (index % 4 === throwing) throw new Error("careless");
            });
            subscriptions.push({ name: `${index}:`, end, live: true });
          } else if (each === "publish") {
            published++;
            publish();
            for (const [index, { name, live }] of subscriptions.entries()) {
              if (live) expected.push(`${name}${published}`);
              if (live && index % 4 === throwing) thrown++;
            }
          } else {
            const subscription = subscriptions[each.dispose];
            if (subscription === undefined) continue;
            subscription.end[Symbol.dispose]();
            subscription.live = false;
          }
          expect(heard).toEqual(expected);
          expect(errors.count).toBe(thrown);
          expect(stream.active).toBe(subscriptions.some(({ live }) => live));
        }
      }),
      { numRuns: 100 },
    );
  });
});
