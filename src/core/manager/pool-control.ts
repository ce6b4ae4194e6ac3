import type { PoolSize, WorkerPool } from "../../ports/executor.js";
import type { ThreadStats } from "../../task/manager-stats.js";
import { refuseSize } from "../../task/thread-options.js";
import { noExits } from "../../task/worker-details.js";

/** A size of which not all is said. */
interface ThreadSize {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** How many threads a manager may have, and the pool that has them; none where no handler needs one. */
export class PoolControl {
  readonly #pool: WorkerPool | undefined;
  #size: PoolSize;

  constructor(pool: WorkerPool | undefined, { min, max }: PoolSize) {
    this.#pool = pool;
    this.#size = Object.freeze({ min, max });
  }

  get size(): PoolSize {
    return this.#size;
  }

  open(): void {
    this.#pool?.open();
  }

  /**
   * What is not given stays.
   * @throws {OptionError} when the least is above the most
   */
  resize({ min = this.#size.min, max = this.#size.max }: ThreadSize): void {
    refuseSize(min, max);
    this.#size = Object.freeze({ min, max });
    this.#pool?.resize(this.#size);
  }

  read(): ThreadStats {
    const { size } = this;
    return this.#pool === undefined ? toNoThreads(size) : this.#pool.read();
  }
}

function toNoThreads({ min, max }: PoolSize): ThreadStats {
  return Object.freeze({
    ...{ min, max, alive: 0, starting: 0, busy: 0, started: 0 },
    exited: Object.freeze(noExits()),
    ...{ lateFaults: 0, busyMs: 0, aliveMs: 0, failing: false },
    failingHandlers: Object.freeze([]),
  });
}
