import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SignalListeners } from "../../../src/core/manager/signal-listeners.js";
import { WaitingRoom } from "../../../src/core/manager/waiting-room.js";
import { QueueFullError } from "../../../src/errors.js";

const gone = (reason: unknown) => new Error(`gone: ${reason}`);
const createRoom = (capacity = 100) => new WaitingRoom(capacity, new SignalListeners());

describe("WaitingRoom", () => {
  it("lets calls in first come, first served, one for each place", async () => {
    const room = createRoom();
    const admitted: number[] = [];
    const calls = [1, 2, 3].map((one) => room.wait(() => admitted.push(one), undefined, gone));
    expect(room.waiting).toBe(3);
    expect(room.admitOne()).toBe(true);
    expect(admitted).toEqual([1]); // at once, so that nobody takes the place meanwhile
    expect(room.admitOne()).toBe(true);
    expect(room.admitOne()).toBe(true);
    expect(room.admitOne()).toBe(false);
    expect(await Promise.all(calls)).toEqual([1, 2, 3]);
    expect(admitted).toEqual([1, 2, 3]);
    expect(room.waiting).toBe(0);
  });

  it("refuses more than its capacity, and takes as many again when some have left", async () => {
    const room = createRoom(2);
    const calls = [room.wait(() => 1, undefined, gone), room.wait(() => 2, undefined, gone)];
    const error = await room.wait(() => 3, undefined, gone).catch((refused: unknown) => refused);
    expect(error).toBeInstanceOf(QueueFullError);
    expect(error).toMatchObject({ capacity: 2, taskId: undefined });
    room.admitOne();
    const late = room.wait(() => 4, undefined, gone);
    room.admitOne();
    room.admitOne();
    expect(await Promise.all([...calls, late])).toEqual([1, 2, 4]);
  });

  it("passes on what accepting throws, and uses up the place for nobody else", async () => {
    const room = createRoom();
    const broken = room.wait(
      () => {
        throw new Error("refused after all");
      },
      undefined,
      gone,
    );
    expect(room.admitOne()).toBe(true);
    await expect(broken).rejects.toThrow("refused after all");
    expect(room.waiting).toBe(0);
  });

  it("lets a call go whose signal aborts, and passes it over", async () => {
    const room = createRoom();
    const controller = new AbortController();
    const left = room.wait(() => expect.unreachable("it left"), controller.signal, gone);
    const next = room.wait(() => "in", undefined, gone);
    controller.abort("why");
    await expect(left).rejects.toThrow("gone: why");
    expect(room.waiting).toBe(1);
    expect(room.admitOne()).toBe(true);
    expect(await next).toBe("in");
    expect(room.admitOne()).toBe(false);
  });

  it("sends everybody away with an error of their own", async () => {
    const room = createRoom();
    const calls = [1, 2].map(() => room.wait(() => 1, undefined, gone));
    let made = 0;
    room.refuseAll(() => new Error(`closed ${++made}`));
    const errors = await Promise.all(calls.map((call) => call.catch((error: Error) => error.message)));
    expect(errors).toEqual(["closed 1", "closed 2"]);
    expect([room.waiting, room.admitOne()]).toEqual([0, false]);
  });

  it("may be entered anew by those that it lets in or refuses", async () => {
    const room = createRoom();
    let inner: Promise<string> | undefined;
    const outer = room.wait(
      () => {
        inner = room.wait(() => "inner", undefined, gone);
        return "outer";
      },
      undefined,
      gone,
    );
    room.admitOne();
    expect(room.waiting).toBe(1);
    room.admitOne();
    expect([await outer, await inner]).toEqual(["outer", "inner"]);
  });

  it("does what a list does, whoever comes, leaves and is let in, in line of many that have gone", async () => {
    const step = fc.constantFrom("come", "come with signal", "leave", "admit");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 150 }), async (steps) => {
        const room = createRoom(30);
        const model: { id: number; controller?: AbortController }[] = [];
        const admitted: number[] = [];
        const expected: number[] = [];
        const calls: Promise<unknown>[] = [];
        let id = 0;
        for (const what of steps) {
          if (what === "leave") {
            const index = model.findLastIndex(({ controller }) => controller !== undefined);
            model[index]?.controller?.abort();
            if (index !== -1) model.splice(index, 1);
          } else if (what === "admit") {
            const first = model.shift();
            expect(room.admitOne()).toBe(first !== undefined);
            if (first !== undefined) expected.push(first.id);
          } else {
            const mine = ++id;
            const controller = what === "come with signal" ? new AbortController() : undefined;
            if (model.length < 30) model.push({ id: mine, ...(controller && { controller }) });
            calls.push(room.wait(() => admitted.push(mine), controller?.signal, gone));
          }
          expect(room.waiting).toBe(model.length);
        }
        room.refuseAll(() => new Error("closed"));
        await Promise.allSettled(calls); // every call is answered
        expect(admitted).toEqual(expected);
      }),
    );
  });
});
