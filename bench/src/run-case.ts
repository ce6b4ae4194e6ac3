import type { BenchCase, Contestant } from "./bench-case.js";
import { Seat } from "./seat.js";

/** Every contestant's costs in the order of the rounds; a `once` contestant has one. */
export type Samples = ReadonlyMap<string, readonly number[]>;

/**
 * Round by round: each contestant warms up, then in every round each runs once, and who begins moves on by one, so
 * that a slow minute of the machine falls upon all of them alike. Nothing ever runs at the same time.
 */
export async function runCase(benchCase: BenchCase, profileFolder?: string): Promise<Samples> {
  const samples = new Map<string, number[]>(benchCase.contestants.map(({ name }) => [name, []]));
  const record = async (seat: Seat) => {
    const cost = await seat.run();
    samples.get(seat.contestant.name)?.push(cost);
  };
  const seat = (contestant: Contestant) => new Seat(benchCase, contestant, profileFolder);

  const seats = benchCase.contestants.filter(({ once }) => once !== true).map(seat);
  try {
    for (const each of seats) await each.run();
    for (let round = 0; round < benchCase.rounds; round += 1) {
      for (let turn = 0; turn < seats.length; turn += 1) {
        const each = seats[(round + turn) % seats.length];
        if (each !== undefined) await record(each);
      }
    }
  } finally {
    await Promise.all(seats.map((each) => each.close()));
  }

  for (const contestant of benchCase.contestants.filter(({ once }) => once === true)) {
    const alone = seat(contestant);
    await record(alone).finally(() => alone.close());
  }
  return samples;
}
