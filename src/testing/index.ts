/// <reference types="node" preserve="true" />
/** What users test with: `import { ManualClock, seededRandom } from "millrace/testing"`. */

export { ManualClock, type ManualClockOptions } from "./manual-clock.js";
export { seededRandom } from "./seeded-random.js";
