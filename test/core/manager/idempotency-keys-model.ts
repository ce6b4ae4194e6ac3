import type { OnDuplicate, OnFailure } from "../../../src/task/idempotency.js";

/** What one request says of its key. */
export interface KeyedRequest {
  readonly scope: string;
  readonly onDuplicate: OnDuplicate;
  readonly ttlMs: number;
  readonly onFailure: OnFailure;
}

/** What a request must come to. */
export type Expected =
  | { readonly kind: "new" }
  | { readonly kind: "replace"; readonly id: string }
  /** `pruned`: its result was gone when the call was made. */
  | { readonly kind: "keep"; readonly id: string; readonly pruned: boolean }
  | { readonly kind: "repeat"; readonly first: number };

interface Holder extends KeyedRequest {
  readonly id: string;
  readonly acceptedAt: number;
  ended: boolean;
}

/** What keys are to do, on a plain array: written from what is promised, not from the code. */
export class KeysModel {
  /** Live ones in any order; ended ones in the order of their end. */
  #holders: Holder[] = [];
  /** The tasks that ended last, of all. */
  #retained: string[] = [];
  readonly #maxKeys: number;
  readonly #maxRetained: number;
  readonly tally = { kept: 0, replaced: 0, rejected: 0, forgotten: 0 };

  constructor(maxKeys: number, maxRetained: number) {
    this.#maxKeys = maxKeys;
    this.#maxRetained = maxRetained;
  }

  get size(): number {
    return this.#holders.length;
  }

  /** What is to become of the requests of one call; undefined when the call is to be rejected. */
  judge(requests: readonly (KeyedRequest | undefined)[], isWaiting: (id: string) => boolean) {
    const expected: Expected[] = [];
    for (const [index, request] of requests.entries()) {
      const one =
        request === undefined ? ({ kind: "new" } as const) : this.#judge(requests, index, isWaiting);
      if (one === undefined) return undefined;
      expected.push(one);
    }
    return expected;
  }

  accepted(id: string, request: KeyedRequest | undefined, now: number): void {
    this.expire(now);
    if (request === undefined) return;
    this.#holders = this.#holders.filter(({ scope }) => scope !== request.scope);
    this.#holders.push({ ...request, id, acceptedAt: now, ended: false });
    this.#forget();
  }

  ended(id: string, state: string, now: number): void {
    this.expire(now);
    this.#retained.push(id);
    while (this.#retained.length > this.#maxRetained) this.#retained.shift();
    const holder = this.#holders.find((one) => one.id === id);
    if (holder === undefined) return;
    this.#holders = this.#holders.filter((one) => one !== holder);
    if (state === "cancelled" || (state === "failed" && holder.onFailure === "free")) return;
    this.#holders.push({ ...holder, ended: true });
    this.expire(now);
    this.#forget();
  }

  expire(now: number): void {
    this.#holders = this.#holders.filter(
      ({ ended, acceptedAt, ttlMs }) => !ended || now < acceptedAt + ttlMs,
    );
  }

  #judge(
    requests: readonly (KeyedRequest | undefined)[],
    index: number,
    isWaiting: (id: string) => boolean,
  ): Expected | undefined {
    const { scope, onDuplicate } = requests[index] as KeyedRequest;
    const holder = this.#holders.find((one) => one.scope === scope);
    const first = requests.findIndex((one, before) => {
      if (before >= index || one?.scope !== scope) return false;
      return holder === undefined || (one.onDuplicate === "replace" && isWaiting(holder.id));
    });
    if (first !== -1) return onDuplicate === "keep" ? { kind: "repeat", first } : undefined;
    if (holder === undefined) return { kind: "new" };
    if (onDuplicate === "reject") return undefined;
    const { id, ended } = holder;
    if (onDuplicate === "replace" && isWaiting(id)) return { kind: "replace", id };
    return { kind: "keep", id, pruned: ended && !this.#retained.includes(id) };
  }

  #forget(): void {
    while (this.#holders.length > this.#maxKeys) {
      const oldest = this.#holders.findIndex(({ ended }) => ended);
      if (oldest === -1) return;
      this.#holders.splice(oldest, 1);
      this.tally.forgotten++;
    }
  }
}
