import { workerData } from "node:worker_threads";
import type { Extension } from "../../../../ports/backend.js";
import type { Logger } from "../../../../ports/logger.js";
import { toErrorType } from "../../../../task/error-type.js";
import { toExtendAnswer } from "../../answers.js";
import { type Portion, runByQueue } from "../../by-queue.js";
import { type CreateClient, clientFactory } from "../../create-client.js";
import { RedisConnection } from "../../redis-connection.js";
import { RedisLog } from "../../redis-log.js";
import { extendArguments } from "../../script-arguments.js";
import { ScriptRunner } from "../../script-runner.js";
import { EXTEND } from "../../scripts/extend.js";
import { StoreKeys } from "../../store-keys.js";
import { LeaseTable } from "../lease-table.js";
import { LifeWords } from "../life-words.js";
import type { MessageFromRenewal, RenewalStart } from "../messages.js";
import { monotonicNow } from "../monotonic.js";
import { askModule } from "./ask-module.js";
import { RenewalLoop } from "./renewal-loop.js";

/** What one call of the script takes. */
const EXTENSIONS: Portion<Extension> = { most: 500, sizeOf: () => 0 };

/** What a thread that renews runs, for as long as it lives. */
const start = workerData as RenewalStart;
const { address, port } = start;

const post = (message: MessageFromRenewal) => port.postMessage(message);
const tell: Logger["warn"] = (fields, text) => post({ type: "trouble", fields, text });

if ("module" in address) void beginBy(address.module);
else begin(clientFactory(address));

/** Where the module fails, so does the thread, which is then replaced after a while. */
async function beginBy(module: string): Promise<void> {
  let create: CreateClient;
  try {
    create = clientFactory(await askModule(module));
  } catch (error) {
    tell({ errorType: toErrorType(error) }, "the module of `renewal` gives no client of Redis");
    throw new Error("The module of `renewal` gives no client of Redis");
  }
  begin(create);
}

function begin(create: CreateClient): void {
  const { commandTimeoutMs, leaseMs, maxBlockedMs, prefix, pulses, startedAt } = start;
  const connection = new RedisConnection({
    commandTimeoutMs,
    create: () => create("millrace-renewal", commandTimeoutMs),
    log: new RedisLog({ debug: tell, info: tell, warn: tell, error: tell }),
    check: async () => undefined, // main looks at the server, and says what is wrong with it
  });
  const keys = new StoreKeys(prefix);
  const runner = new ScriptRunner(connection, [0, 0]);
  const loop = new RenewalLoop({
    ...{ leaseMs, maxBlockedMs, post, pulses, now: monotonicNow },
    leases: new LeaseTable(startedAt, start.leases),
    life: new LifeWords(start.life),
    extend: (extensions: readonly Extension[]) =>
      runByQueue(extensions, EXTENSIONS, async (queue, parts) => {
        const answer = await runner.run(EXTEND, keys.of(queue).meta, extendArguments(parts), "holder");
        return parts.map((_, index) => toExtendAnswer(answer[index]));
      }),
  });
  loop.tick();
  setInterval(() => loop.tick(), loop.tickMs);
}
