import assert from "node:assert/strict";
import type { Backend, Lease } from "../../../ports/backend.js";
import type { SignalListener } from "../../../ports/backend-signals.js";
import type { BackendRule } from "./backend-rule.js";
import { type BackendTrial, LONG_MS } from "./backend-trial.js";
import { newTasks } from "./stored-things.js";

/** What has been heard, as `wake q` or `finished q:a`. */
class Ear implements SignalListener {
  readonly heard: string[] = [];

  wake(queue: string): void {
    this.heard.push(`wake ${queue}`);
  }

  cancelAsked(id: string): void {
    this.heard.push(`cancelAsked ${id}`);
  }

  finished(id: string): void {
    this.heard.push(`finished ${id}`);
  }

  storeLost(): void {
    this.heard.push("storeLost");
  }
}

/** Whoever begins to listen may miss something at first: so it is done again until it is heard. */
async function hears(
  trial: BackendTrial,
  by: Backend,
  what: (id: string) => string,
  act: (id: string) => Promise<unknown>,
): Promise<Ear> {
  const ear = new Ear();
  by.signals.listen(["q"], ear);
  const ids: string[] = [];
  await trial.until(
    () => ids.some((id) => ear.heard.includes(what(id))),
    `${what("q:…")} was heard`,
    async () => {
      const id = `q:signal-${trial.requestId()}`;
      ids.push(id);
      await act(id);
    },
  );
  return ear;
}

function tells(
  what: string,
  signal: (id: string) => string,
  act: (trial: BackendTrial, id: string) => Promise<unknown>,
): BackendRule {
  return {
    name: `tells all that listen of ${what}`,
    async check(trial) {
      await hears(trial, trial.backend, signal, (id) => act(trial, id));
      await hears(trial, await trial.connect(), signal, (id) => act(trial, id));
    },
  };
}

/** The same of what wakes: nothing else may, so the tasks are claimed before anybody listens. */
function wakesFor(what: string, act: (trial: BackendTrial, lease: Lease) => Promise<unknown>): BackendRule {
  return {
    name: `tells all that listen of ${what}`,
    async check(trial) {
      await trial.enqueue(...newTasks(2 * TIMES));
      const leases = [...(await trial.claim()).tasks];
      for (const by of [trial.backend, await trial.connect()]) {
        await hears(trial, by, wake, async () => {
          const lease = leases.shift();
          if (lease !== undefined) await act(trial, lease);
        });
      }
    },
  };
}

/** So often something is done for one listener, at most. */
const TIMES = 50;

const wake = () => "wake q";
const finished = (id: string) => `finished ${id}`;

/** What a store tells by itself. */
export const SIGNAL_RULES: readonly BackendRule[] = [
  tells("a task that is enqueued and ready", wake, (trial, id) => trial.keep(id)),
  tells("a delayed task that falls due before all others", wake, async (trial, id) => {
    const { delayed = 0 } = await trial.counts();
    await trial.keep(id, { delayMs: LONG_MS - 1_000 * delayed });
  }),
  wakesFor("a task that is given back and ready", (trial, lease) => trial.nack(lease)),
  wakesFor("a dead letter that is put back to work", async (trial, lease) => {
    await trial.bury(lease);
    const request = { queue: "q", ids: [lease.id], handler: undefined, reason: undefined };
    await trial.backend.inspector.replay(request);
  }),
  tells("a task that has ended", finished, async (trial, id) => {
    await trial.keep(id);
    for (const lease of (await trial.claim()).tasks) await trial.ack(lease);
  }),
  tells("a task that is a dead letter", finished, async (trial, id) => {
    await trial.keep(id);
    for (const lease of (await trial.claim()).tasks) await trial.bury(lease);
  }),
  tells("a task that was cancelled", finished, async (trial, id) => {
    await trial.keep(id);
    await trial.cancel(id);
  }),
  tells(
    "a task whose holder is asked to cancel it (C10)",
    (id) => `cancelAsked ${id}`,
    async (trial, id) => {
      await trial.keep(id);
      await trial.claim();
      await trial.cancel(id);
    },
  ),
  {
    name: "tells nothing of other queues, nor to who does not listen any more",
    async check(trial) {
      const [elsewhere, deaf] = [new Ear(), new Ear()];
      trial.backend.signals.listen(["other"], elsewhere);
      trial.backend.signals.listen(["q"], deaf)();
      await hears(trial, trial.backend, finished, async (id) => {
        await trial.keep(id);
        await trial.cancel(id);
      });
      const strange = elsewhere.heard.filter((said) => said !== "wake other"); // as it begins to listen
      assert.deepEqual([strange, deaf.heard], [[], []]);
    },
  },
  {
    name: "goes on when a listener throws, or does not want to hear of ends",
    async check(trial) {
      const throws = () => {
        throw new Error("a listener has thrown");
      };
      trial.backend.signals.listen(["q"], {
        ...{ wake: throws, finished: throws, cancelAsked: throws, storeLost: throws },
      });
      const told: string[] = [];
      trial.backend.signals.listen(["q"], {
        ...{ wake: (queue) => told.push(queue), finished: undefined, cancelAsked() {}, storeLost() {} },
      });
      await hears(trial, trial.backend, finished, async (id) => {
        await trial.keep(id);
        assert.equal(await trial.cancel(id), "cancelled");
      });
      await trial.until(() => told.includes("q"), "who does not hear of ends is woken");
    },
  },
];
