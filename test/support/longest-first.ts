import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take longest on a quiet machine with two cores, most of them because they wait. */
const LONGEST = [
  "conformance/broken-threads",
  "faults/durable-worker-kills",
  "examples/demo-durable",
  "package/package",
  "faults/threads-load",
  "faults/durable-hostile-redis",
  "scenarios/durable-renewal",
  "adapters/redis/renewal/redis-renewal",
  "faults/durable-storms",
  "faults/durable-clocks",
  "adapters/otel/dashboard",
  "scenarios/threads-modules",
  "faults/durable-stops",
  "faults/durable-tls",
  "faults/durable-sleep",
];

/**
 * Begins with the files that take longest: begun last, one of them would still run when nothing else is left to
 * do. For the others, Vitest goes by what it knows from an earlier run, or by their size.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((path) => moduleId.endsWith(`/test/${path}.test.ts`));
      return found < 0 ? LONGEST.length : found;
    };
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}
