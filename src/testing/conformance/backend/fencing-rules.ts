import assert from "node:assert/strict";
import type { Lease } from "../../../ports/backend.js";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";
import { completed } from "./stored-things.js";

type Write = (trial: BackendTrial, lease: Lease) => Promise<boolean>;

/** All that a holder can write. */
const WRITES: Readonly<Record<string, Write>> = {
  extend: async (trial, lease) => (await trial.extend(lease, { progress: new Uint8Array([7]) })).held,
  ack: (trial, lease) => trial.ack(lease),
  deadLetter: (trial, lease) => trial.bury(lease),
  "nack to retry": (trial, lease) => trial.nack(lease, { kind: "retry" }),
  "nack to reschedule": (trial, lease) => trial.nack(lease, { kind: "reschedule" }),
  "nack to hand back": (trial, lease) => trial.nack(lease),
};

/** Brings a task into a state. Gives the last lease of it, where that has not ended by a write of its own. */
type Scene = (trial: BackendTrial) => Promise<Lease | undefined>;

async function lose(trial: BackendTrial): Promise<Lease> {
  const lease = await trial.claimBriefly();
  await trial.expire();
  return lease;
}

const SCENES: Readonly<Record<string, Scene>> = {
  "was never claimed": async (trial) => {
    await trial.put("q:a", "ready");
    return undefined;
  },
  "is delayed": async (trial) => {
    await trial.put("q:a", "delayed");
    return undefined;
  },
  "is unknown": async () => undefined,
  "somebody else has claimed since": async (trial) => {
    await trial.keep("q:a");
    const lost = await lose(trial);
    await trial.claimOne({ by: await trial.connect() });
    return lost;
  },
  "its own holder has claimed again since (D5)": async (trial) => {
    await trial.keep("q:a");
    const lost = await lose(trial);
    await trial.claimOne();
    return lost;
  },
  "was taken from a lease that had expired, and waits": async (trial) => {
    await trial.keep("q:a");
    const lost = await lose(trial);
    await trial.claim({ slots: [0] });
    // Who reclaims without a slot may leave it where it is: then it is claimed, and handed back.
    if ((await trial.placeOf("q:a")) === "leased") await trial.nack(await trial.claimOne());
    return lost;
  },
  "another holder has buried": async (trial) => {
    await trial.keep("q:a");
    const lost = await lose(trial);
    await trial.bury(await trial.claimOne());
    return lost;
  },
  "another holder has ended": async (trial) => {
    await trial.keep("q:a");
    const lost = await lose(trial);
    await trial.ack(await trial.claimOne());
    return lost;
  },
  "was cancelled while it waited": async (trial) => {
    await trial.put("q:a", "ready");
    await trial.cancel("q:a");
    return undefined;
  },
};

function fences([what, scene]: readonly [string, Scene]): BackendRule {
  return {
    name: `refuses every write about a task that ${what}, and changes nothing (D3, I4)`,
    async check(trial) {
      const lost = await scene(trial);
      const { token = 0 } = (await trial.read("q:a")) ?? {};
      // Without a lease that was lost, no token is known; a future one is not held either.
      const tokens = new Set([lost?.token ?? 1, 0, token + 1_000, Number.MAX_SAFE_INTEGER]);
      for (const [name, write] of Object.entries(WRITES)) {
        for (const stale of tokens) {
          await trial.unchanged(["q:a"], async () => {
            assert.equal(await write(trial, { id: "q:a", token: stale }), false, `${name} by ${stale}`);
          });
        }
      }
    },
  };
}

function settlesOnce(settlement: "ack" | "deadLetter" | "nack to hand back"): BackendRule {
  return {
    name: `refuses every other write of a lease that has ended with ${settlement} (I8)`,
    async check(trial) {
      const lease = await trial.put("q:a", "leased");
      assert(await WRITES[settlement]?.(trial, lease), `${settlement} by the holder`);
      for (const [name, write] of Object.entries(WRITES)) {
        if (name.slice(0, 4) === settlement.slice(0, 4)) continue;
        await trial.unchanged(["q:a"], async () => {
          assert.equal(await write(trial, lease), false, `${name} after ${settlement}`);
        });
      }
    },
  };
}

/** Who may not write. */
export const FENCING_RULES: readonly BackendRule[] = [
  ...Object.entries(SCENES).map(fences),
  ...(["ack", "deadLetter", "nack to hand back"] as const).map(settlesOnce),
  ...Object.entries(WRITES).map(
    ([name, write]): BackendRule => ({
      name: `takes a write of the present lease: ${name}`,
      async check(trial) {
        const lease = await trial.put("q:a", "leased");
        assert.equal(await write(trial, lease), true);
      },
    }),
  ),
  {
    name: "takes the writes of one batch by themselves, each against its own lease",
    async check(trial) {
      await trial.keepInTurn("q:a", "q:b", "q:c");
      await trial.keep("other:d");
      const [a, b, c] = (await trial.claim()).tasks;
      const d = await trial.claimOne({ queue: "other" });
      assert(a && b && c);
      const stale = { id: b.id, token: b.token - 1 };
      const unknown = { id: "nowhere:x", token: 5 };
      const rest = { outcome: completed(), resultTtlMs: 60_000 };
      const answers = await trial.backend.ack(
        [c, stale, unknown, d, a].map((one) => ({ id: one.id, token: one.token, ...rest })),
      );
      assert.deepEqual(answers, [true, false, false, true, true]);
      assert.deepEqual(await trial.counts(), { leased: 1, finished: 2 });
      assert.deepEqual(await trial.counts("other"), { finished: 1 });
    },
  },
];
