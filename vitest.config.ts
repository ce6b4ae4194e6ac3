import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.js";

// Where CI wants a report that it can count, beside what people read.
const report = process.env["MILLRACE_TEST_REPORT"];

// What takes minutes runs by itself: `npm run test:long`. And what a run has no need for, it says; the option of the
// command line for that does not reach projects.
const isLong = Boolean(process.env["MILLRACE_LONG"]);
const long = isLong ? [] : ["test/long/**"];
const needless = process.env["MILLRACE_TEST_EXCLUDE"]?.split(" ") ?? [];
const exclude = [...configDefaults.exclude, ...long, ...needless];

/**
 * Files of pure logic share processes, and what these have loaded: to start one and load Millrace anew takes longer
 * than most of these files take. What measures memory, or has to do with threads, processes, servers or globals, has
 * a process of its own.
 */
const together = [
  "test/errors.test.ts",
  "test/core/**/!(indexed-heap|ring-buffer|sequence-heap|idempotency-keys).test.ts",
  "test/{model,task,testing,tidy}/**/*.test.ts",
  "test/adapters/{circuit-breaker,http,inline,logging,memory,protobuf}/**/*.test.ts",
  "test/adapters/otel/!(alerts|dashboard|durable-redis|event-loop-delay|instrument-thread|thread-metrics|trace-secrets).test.ts",
  "test/adapters/redis/{by-queue,record-format,redis-failures,redis-log,redis-options}.test.ts",
  "test/adapters/redis/renewal/!(redis-renewal|renewal-module).test.ts",
  "test/adapters/system/{async-context,system-random}.test.ts",
  "test/conformance/{inline,memory-backend}.test.ts",
  "test/adapters/threads/!(task-words).test.ts",
  "test/examples/demo-histogram.test.ts",
  "test/faults/{abort-makes-room,hostile-*}.test.ts",
  "test/readme/links.test.ts",
  "test/scenarios/!(durable*|observe*|queue-million*|queue-shares|stop-*|threads*).test.ts",
  "test/scenarios/durable-{features,hostile-backends,leases,no-backend,progress,sharing,stop,turns,turns-blocked,turns-random}.test.ts",
  "test/scenarios/observe-cardinality.test.ts",
  "test/scenarios/stop-{many,pauses,refusals,report}.test.ts",
  "test/support/*.test.ts",
];

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

/** The build of this repository, and no other folder of that name above it. */
const escaped = fileURLToPath(new URL("./dist/", import.meta.url)).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const BUILT = new RegExp(`^(file://)?${escaped}`);

export default defineConfig({
  test: {
    pool: "forks",
    server: { deps: { external: [BUILT] } }, // Node loads what was built, as it does for users
    // Two more than a small machine has cores: some files mostly wait, for leases to expire or threads to die.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    testTimeout: isLong ? 3_600_000 : 60_000,
    hookTimeout: 60_000, // a Redis on a crowded machine takes its time to start
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: [
      {
        extends: true,
        test: {
          name: "apart",
          include: ["test/**/*.test.ts"],
          exclude: [...exclude, ...together],
        },
      },
      { extends: true, test: { name: "together", isolate: false, include: together, exclude } },
    ],
    alias: [
      { find: /^millrace$/, replacement: source("index.ts") },
      { find: /^millrace\/otel$/, replacement: source("adapters/otel/index.ts") },
      { find: /^millrace\/protobuf$/, replacement: source("adapters/protobuf/index.ts") },
      { find: /^millrace\/redis$/, replacement: source("adapters/redis/index.ts") },
      { find: /^millrace\/worker$/, replacement: source("adapters/threads/worker.ts") },
      { find: /^millrace\/testing$/, replacement: source("testing/index.ts") },
    ],
  },
});
