import { describe, expect, test } from "vitest";
import { Contest, TURN_MS } from "../../../../src/core/manager/durable/contest.js";

/** What both kinds want one of, again and again, and whose turn each is. */
function createContest() {
  const contest = new Contest();
  const round = { number: 0, at: 0 };
  let starts = 0;
  return {
    /** A round of claims; @returns how many of `free` durable tasks may have */
    offer: (free: number, afterMs = 0) => {
      round.number++;
      round.at += afterMs;
      return contest.share(free, starts, { ...round });
    },
    claim: () => contest.claimed(starts, { ...round }),
    keepsNext: () => contest.isForDurable(starts, { ...round }),
    startLocal: () => ++starts,
    startDurable: () => contest.took(++starts),
    lapsesAt: () => contest.lapsesAt,
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
    offer(1, 1); // that claim was in vain: two starts of the others come first
    startLocal();
    expect(offer(1, TURN_MS - 1)).toBe(0);
    expect(offer(1, TURN_MS - 1)).toBe(0);
    expect(offer(1, 1)).toBe(1);
  });

  test("keeps the next one where it is a durable task's turn, until a claim is made with it", () => {
    const { claim, keepsNext, offer, startLocal } = createContest();
    expect(keepsNext()).toBe(false);
    startLocal();
    expect(keepsNext()).toBe(true);
    offer(1);
    claim();
    expect(keepsNext()).toBe(false);
  });

  test("asks for more starts of the others after each claim in vain, four at most, until one is used", () => {
    const { claim, offer, startDurable, startLocal } = createContest();
    const startsUntilTurn = () => {
      for (let count = 0; ; count++) {
        if (offer(1) === 1) return count;
        startLocal();
      }
    };
    const waits: number[] = [];
    for (let count = 0; count < 5; count++) {
      waits.push(startsUntilTurn());
      claim();
    }
    expect(waits).toEqual([1, 2, 4, 4, 4]);
    expect(startsUntilTurn()).toBe(4);
    startDurable();
    expect(startsUntilTurn()).toBe(1);
  });
});
