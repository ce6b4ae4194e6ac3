import { type Backend, memoryBackend } from "../../src/index.js";
import { type BackendSubject, ManualClock } from "../../src/testing/index.js";

/** The memory backend, as conformance suites see it, or what clients there are in its stead. */
export function memorySubject(wrap: (client: Backend) => Backend = (client) => client): BackendSubject {
  return {
    open({ deadLetters }) {
      const clock = new ManualClock();
      const backend = memoryBackend({ clock, deadLetters });
      return {
        connect: () => wrap(backend.connect()),
        advanceTime: (ms) => clock.advance(ms),
      };
    },
    ...{ leaseMs: 1_000, leaps: true },
  };
}
