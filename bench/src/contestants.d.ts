// The little that the cases use of the other packages. Declared here so that the project's type check does not need
// them installed; their own declarations are not consulted. Those of tinypool are: the project depends on it itself.

declare module "bee-queue" {
  interface Stored<T> {
    readonly data: T;
    save(): Promise<unknown>;
  }
  export default class BeeQueue<T> {
    constructor(name: string, settings: object);
    ready(): Promise<unknown>;
    createJob(payload: T): Stored<T>;
    saveAll(jobs: readonly Stored<T>[]): Promise<unknown>;
    process(concurrency: number, run: (stored: Stored<T>) => Promise<void>): void;
    close(timeoutMs: number): Promise<void>;
  }
}

declare module "bullmq" {
  export class Queue {
    constructor(name: string, options: { connection: object });
    add(name: string, payload: unknown, options: object): Promise<unknown>;
    addBulk(all: readonly { name: string; data: unknown; opts: object }[]): Promise<unknown>;
    close(): Promise<void>;
  }
  export class Worker {
    constructor(name: string, run: (stored: { data: never }) => Promise<void>, options: object);
    close(): Promise<void>;
  }
}

declare module "fastq" {
  export interface PromiseQueue<T, R> {
    push(task: T): Promise<R>;
    pause(): void;
    resume(): void;
  }
  const fastq: { promise<T, R>(worker: (task: T) => Promise<R>, concurrency: number): PromiseQueue<T, R> };
  export default fastq;
}

declare module "p-queue" {
  export default class PQueue {
    constructor(options: { concurrency: number; autoStart?: boolean });
    add<R>(work: () => Promise<R>, options?: { priority?: number; signal?: AbortSignal }): Promise<R>;
    start(): this;
  }
}

declare module "piscina" {
  export class Piscina {
    constructor(options: { filename: string; minThreads: number; maxThreads: number });
    run(task: unknown, options: { name: string }): Promise<unknown>;
  }
}

declare module "tinyqueue" {
  export default class TinyQueue<T> {
    constructor(entries: T[], compare: (a: T, b: T) => number);
    push(entry: T): void;
    pop(): T | undefined;
  }
}
