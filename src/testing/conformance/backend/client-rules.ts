import assert from "node:assert/strict";
import type { BackendRule } from "./backend-rule.js";
import type { BackendTrial } from "./backend-trial.js";
import { completed, newTask, STORED_ERROR } from "./stored-things.js";

async function rejectsWhenClosed(trial: BackendTrial): Promise<void> {
  await trial.keep("q:a");
  const lease = { id: "q:a", token: 1 };
  const client = await trial.connect();
  await client.close();
  await client.close();
  const calls: readonly (() => Promise<unknown>)[] = [
    () => client.enqueue(trial.requestId(), [newTask("q:b")]),
    () => client.claim(trial.toRequest()),
    () => client.extend([{ ...lease, leaseMs: 1_000, progress: undefined }]),
    () => client.ack([{ ...lease, outcome: completed(), resultTtlMs: 1_000 }]),
    () => client.nack([{ ...lease, kind: "retry", delayMs: 0, error: undefined }]),
    () =>
      client.deadLetter([
        { ...lease, reason: "error", error: STORED_ERROR, charged: true, resultTtlMs: 1_000 },
      ]),
    () => client.cancel([{ id: "q:a", error: STORED_ERROR, resultTtlMs: 1_000 }]),
    () => client.inspector.read(["q:a"]),
    () => client.inspector.counts(["q"]),
    () => client.inspector.replay({ queue: "q", ids: undefined, handler: undefined, reason: undefined }),
  ];
  for (const call of calls) await assert.rejects(call);
  assert.doesNotThrow(() => client.signals.listen(["q"], DEAF)());
  assert.deepEqual(await trial.claimIds(), ["q:a"]);
}

const DEAF = { wake() {}, cancelAsked() {}, finished() {}, storeLost() {} };

/** How clients come and go. */
export const CLIENT_RULES: readonly BackendRule[] = [
  {
    name: "rejects all calls of a client that was closed, and goes on for the others",
    check: rejectsWhenClosed,
  },
  {
    name: "shows every client the same tasks",
    async check(trial) {
      const other = await trial.connect();
      await trial.keep("q:a");
      const { tasks } = await trial.claim({ by: other });
      assert.deepEqual(
        tasks.map(({ id }) => id),
        ["q:a"],
      );
      const [read] = await other.inspector.read(["q:a"]);
      assert.deepEqual(read, await trial.find("q:a"));
      assert(await trial.ack(tasks[0] ?? assert.fail("it was claimed")));
    },
  },
  {
    name: "leaves what a client had claimed when it is closed, until that expires",
    async check(trial) {
      await trial.keep("q:a");
      const client = await trial.connect();
      const lease = await trial.claimBriefly({ by: client });
      await client.close();
      assert.deepEqual(await trial.claimIds(), []);
      await trial.expire();
      assert.equal((await trial.claimOne()).deliveries, lease.deliveries + 1);
    },
  },
];
