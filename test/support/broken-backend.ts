import type { Backend, BackendInspector } from "../../src/index.js";

/** What a broken client does otherwise than the sound one that it stands for. */
export type Fault = (sound: Backend) => Partial<Backend>;

/** A client of the sound store with one fault. */
export function breakClient(sound: Backend, fault: Fault): Backend {
  return {
    signals: sound.signals,
    inspector: sound.inspector,
    enqueue: (requestId, tasks) => sound.enqueue(requestId, tasks),
    claim: (request) => sound.claim(request),
    extend: (extensions) => sound.extend(extensions),
    ack: (ends) => sound.ack(ends),
    nack: (returns) => sound.nack(returns),
    deadLetter: (ends) => sound.deadLetter(ends),
    cancel: (cancellations) => sound.cancel(cancellations),
    close: () => sound.close(),
    ...fault(sound),
  };
}

export function breakInspector({ inspector }: Backend, fault: Partial<BackendInspector>): Partial<Backend> {
  return {
    inspector: {
      read: (ids, options) => inspector.read(ids, options),
      counts: (queues) => inspector.counts(queues),
      replay: (request) => inspector.replay(request),
      ...fault,
    },
  };
}
