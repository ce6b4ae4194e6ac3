import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig } from "vitest/config";

// Where CI wants a report that it can count, beside what people read.
const report = process.env["MILLRACE_TEST_REPORT"];

// What takes minutes runs by itself: `npm run test:long`.
const long = process.env["MILLRACE_LONG"] ? [] : ["test/long/**"];

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...long],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 20_000,
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
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
