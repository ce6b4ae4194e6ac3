import type { BenchCase } from "./bench-case.js";
import { cancel } from "./cases/cancel.js";
import { handlersByName } from "./cases/handlers.js";
import { heap } from "./cases/heap.js";
import { inlineFifo } from "./cases/inline-fifo.js";
import { inlinePriority } from "./cases/inline-priority.js";
import { memory } from "./cases/memory.js";
import { observeMetrics, observeOff } from "./cases/observe.js";
import { redisBacklog } from "./cases/redis-backlog.js";
import { redisEnqueue, redisEnqueueMany } from "./cases/redis-enqueue.js";
import { redisMemory } from "./cases/redis-memory.js";
import { redisPickup } from "./cases/redis-pickup.js";
import { redisProcess } from "./cases/redis-process.js";
import { scale } from "./cases/scale.js";
import { subscribe } from "./cases/subscribe.js";
import { subscribeMemory } from "./cases/subscribe-memory.js";
import { threadsCpu } from "./cases/threads-cpu.js";
import { threadsMixed } from "./cases/threads-mixed.js";
import { threadsRoundtrip } from "./cases/threads-roundtrip.js";
import { threadsTiny } from "./cases/threads-tiny.js";

/** In the order in which they run when none is named. */
export const cases: readonly BenchCase[] = [
  ...[inlineFifo, inlinePriority, handlersByName, heap, cancel, memory],
  ...[subscribe, subscribeMemory, observeOff, observeMetrics, scale],
  ...[threadsTiny, threadsCpu, threadsRoundtrip, threadsMixed],
  ...[redisEnqueue, redisEnqueueMany, redisProcess, redisPickup, redisBacklog, redisMemory],
];
