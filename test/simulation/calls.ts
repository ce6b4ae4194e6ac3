import type { Backend } from "../../src/ports/backend.js";
import type { SimulatedProcess } from "./simulated-process.js";

/** The methods of a backend that travel to the store. */
export type Method = "enqueue" | "claim" | "extend" | "ack" | "nack" | "deadLetter" | "cancel";

type CallTo<M extends Method> = { readonly method: M; readonly args: Parameters<Backend[M]> };

/** What is asked of the store. */
export type Call = { readonly [M in Method]: CallTo<M> }[Method];

export type Answer<M extends Method = Method> = Awaited<ReturnType<Backend[M]>>;

/** A call on its way: who made it, and when. */
export interface Sent {
  readonly process: SimulatedProcess;
  readonly call: Call;
  readonly sentAt: number;
}
