import { describe, expect, test } from "vitest";
import { Contest, TURN_MS } from "../../../../src/core/manager/durable/contest.js";

/** What both kinds want, again and again, and whose turn each is. */
function createContest(burst?: number) {
  const contest = new Contest(0);
  const round = { number: 0, at: 0 };
  let taken = 0;
  const contested = () => (burst === undefined ? { taken } : { taken, burst });
  return {
    /** A round of claims; @returns how many of `free` durable tasks may have */
    offer: (free: number, afterMs = 0, isSavedFor = false) => {
      round.number++;
      round.at += afterMs;
      return contest.share(free, isSavedFor, contested(), { ...round });
    },
    claim: () => contest.claimed(true, contested(), { ...round }),
    keepsNext: (isFree: boolean) => contest.keeps(isFree, contested(), { ...round }),
    startLocal: (amount = 1) => {
      taken += amount;
    },
    startDurable: (amount = 1) => {
      contest.takes(amount, contested(), round.at);
      taken += amount;
    },
    lapsesAt: () => contest.lapsesAt,
    now: () => round.at,
  };
}

describe("a contest of tasks of the process and durable ones", () => {
  test("gives each kind half of what is free", () => {
    const { offer } = createContest();
    expect([offer(0), offer(2), offer(10)]).toEqual([0, 1, 5]);
  });

  test("gives an odd one to each by turns, to those of the process first", () => {
    const { offer, startLocal, startDurable } = createContest();
    expect([offer(1), offer(3)]).toEqual([0, 1]);
    startLocal();
    expect([offer(1), offer(3)]).toEqual([1, 2]);
    startDurable();
    expect(offer(1)).toBe(0);
  });

  test("lets a turn wait until it is used, however many rounds there are", () => {
    const { offer, startLocal } = createContest();
    for (let count = 0; count < 100; count++) expect(offer(1)).toBe(0);
    startLocal();
    for (let count = 0; count < 100; count++) expect(offer(1)).toBe(1);
  });

  test("gives the others' turn to durable tasks when it was not used for long", () => {
    const { lapsesAt, offer } = createContest();
    offer(1, 7);
    expect(lapsesAt()).toBe(7 + TURN_MS);
    expect(offer(1, TURN_MS - 1)).toBe(0);
    expect(offer(1, 1)).toBe(1);
  });

  test("counts that time anew with each start", () => {
    const { claim, offer, startLocal } = createContest();
    startLocal();
    offer(1);
    claim();
    offer(1, 40); // that claim was in vain: for as long the others come first
    startLocal();
    expect(offer(1, 39)).toBe(0);
    startLocal();
    expect(offer(1)).toBe(0);
    expect(offer(1, TURN_MS - 1)).toBe(1);
  });

  test("keeps the next one where it is a durable task's turn, until a claim is made with it", () => {
    const { claim, keepsNext, offer, startLocal } = createContest();
    expect(keepsNext(false)).toBe(false);
    startLocal();
    expect(keepsNext(false)).toBe(true);
    offer(1);
    claim();
    expect(keepsNext(false)).toBe(false);
  });

  test("keeps one that is free for so long at most, and what nobody can have for as long as that lasts", () => {
    const { keepsNext, lapsesAt, offer, startLocal } = createContest();
    startLocal();
    expect(keepsNext(true)).toBe(true);
    expect(lapsesAt()).toBe(TURN_MS);
    offer(0, TURN_MS - 1);
    expect(keepsNext(false)).toBe(true);
    expect(lapsesAt()).toBe(Number.POSITIVE_INFINITY);
    offer(0, 1_000_000);
    expect(keepsNext(true)).toBe(true);
    offer(0, TURN_MS - 1);
    expect(keepsNext(true)).toBe(true);
    offer(0, 1);
    expect(keepsNext(true)).toBe(false);
  });

  test("bars durable tasks for longer after each turn in vain, sixteen times at most, until one is used", () => {
    const { claim, now, offer, startDurable, startLocal } = createContest();
    const barredMs = () => {
      const since = now();
      for (startLocal(); offer(1) === 0; startLocal()) offer(0, 1);
      return now() - since;
    };
    const waits = [barredMs()];
    for (let count = 0; count < 7; count++) {
      claim();
      offer(1, 10); // answered after 10 ms, and nothing of it started
      waits.push(barredMs());
    }
    expect(waits).toEqual([0, 10, 20, 40, 80, 160, 160, 160]);
    startDurable();
    expect(offer(1)).toBe(0);
    expect(barredMs()).toBe(0);
  });

  test("bars durable tasks for as long as it has waited for the one that has started", () => {
    const { claim, keepsNext, offer, startDurable, startLocal } = createContest();
    startLocal();
    expect(offer(1)).toBe(1);
    claim();
    startDurable(); // at once
    startLocal();
    expect(offer(1)).toBe(1);
    expect(keepsNext(true)).toBe(true);
    expect(offer(1, 20)).toBe(1);
    claim();
    startDurable(); // after 20 ms, in which nothing else could start
    for (let waitedMs = 0; waitedMs < 20; waitedMs++) {
      startLocal();
      expect(offer(1, 1)).toBe(waitedMs === 19 ? 1 : 0);
    }
  });

  test("takes no claim for longer than a turn, however late it is answered", () => {
    const { claim, offer, startLocal } = createContest();
    startLocal();
    offer(1);
    claim();
    offer(1, 1_000_000);
    startLocal();
    expect(offer(1, TURN_MS - 1)).toBe(0);
    startLocal();
    expect(offer(1, 1)).toBe(1);
  });

  test("leaves all to durable tasks for longer after each turn that the others have not used", () => {
    const { now, offer, startDurable, startLocal } = createContest();
    const leftMs = () => {
      const since = now();
      for (; offer(2) === 2; startDurable()) offer(0, 1);
      return now() - since;
    };
    const times: number[] = [];
    for (let count = 0; count < 7; count++) {
      expect(offer(1)).toBe(0);
      expect(offer(1, TURN_MS)).toBe(1);
      startDurable();
      times.push(leftMs());
    }
    expect(times).toEqual([50, 100, 200, 400, 800, 800, 800]);
    offer(1);
    offer(1, TURN_MS);
    startDurable();
    startLocal();
    expect(offer(2)).toBe(1); // they are back
  });

  test("gives both as much of what each takes more or less of, and none is owed more than a burst", () => {
    const { offer, startDurable, startLocal } = createContest(10);
    const turns = { local: 0, durable: 0 };
    for (let count = 0; count < 600; count++) {
      if (offer(1) === 1) {
        startDurable(5);
        turns.durable++;
      } else {
        startLocal();
        turns.local++;
      }
    }
    expect(turns).toEqual({ local: 500, durable: 100 });
    startLocal(1_000);
    let owed = 0;
    for (; offer(1) === 1; startDurable()) owed++;
    expect(owed).toBe(10);
  });

  test("owes nobody anything of a time in which nobody looked", () => {
    const { offer, startLocal } = createContest(10);
    offer(1);
    startLocal(1_000);
    expect(offer(1, 1_001)).toBe(0);
    startLocal();
    expect(offer(1)).toBe(1);
  });

  test("leaves nothing to durable tasks while one of the others saves up in its turn, until that has begun", () => {
    const { offer, startDurable, startLocal } = createContest(5);
    expect(offer(2, 0, true)).toBe(0);
    expect(offer(4, 1_000_000, true)).toBe(0);
    expect(offer(5, 1)).toBe(0); // there are enough now, and it is about to begin
    startLocal(5);
    expect(offer(1)).toBe(1);
    startDurable(5);
    expect(offer(2, 0, true)).toBe(0);
  });

  test("waits for one that has saved up no longer than for any other", () => {
    const { offer } = createContest(5);
    expect(offer(2, 0, true)).toBe(0);
    expect(offer(5, 1_000)).toBe(0);
    expect(offer(5, TURN_MS - 1)).toBe(0);
    expect(offer(5, 1)).toBe(5);
  });
});
