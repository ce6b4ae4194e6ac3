import type { ConformanceCase } from "../conformance-case.js";
import type { BackendRule } from "./backend-rule.js";
import type { BackendSubject } from "./backend-subject.js";
import { BackendTrial } from "./backend-trial.js";
import { BUDGET_RULES } from "./budget-rules.js";
import { BYTES_RULES } from "./bytes-rules.js";
import { CANCEL_RULES } from "./cancel-rules.js";
import { CLIENT_RULES } from "./client-rules.js";
import { CRASH_RULES } from "./crash-rules.js";
import { DEAD_LETTER_RULES } from "./dead-letter-rules.js";
import { DELAY_RULES } from "./delay-rules.js";
import { ENQUEUE_RULES } from "./enqueue-rules.js";
import { FENCING_RULES } from "./fencing-rules.js";
import { KEY_RULES } from "./key-rules.js";
import { LEASE_RULES } from "./lease-rules.js";
import { ORDER_RULES } from "./order-rules.js";
import { REPEAT_RULES } from "./repeat-rules.js";
import { SETTLE_RULES } from "./settle-rules.js";
import { SIGNAL_RULES } from "./signal-rules.js";

const RULES: readonly BackendRule[] = [
  ...[...ENQUEUE_RULES, ...BYTES_RULES, ...KEY_RULES, ...DELAY_RULES],
  ...[...ORDER_RULES, ...BUDGET_RULES, ...LEASE_RULES, ...FENCING_RULES],
  ...[...SETTLE_RULES, ...REPEAT_RULES, ...CRASH_RULES, ...DEAD_LETTER_RULES],
  ...[...CANCEL_RULES, ...SIGNAL_RULES, ...CLIENT_RULES],
];

/**
 * What every backend has to keep, as cases for any test runner. Each opens a store of its own, uses it by one
 * client or several, and closes these. They may be run in any order, and at the same time:
 *
 * ```ts
 * for (const { name, run } of backendConformance(subject)) test.concurrent(name, run);
 * ```
 */
export function backendConformance(subject: BackendSubject): readonly ConformanceCase[] {
  return RULES.filter(({ leaps }) => !leaps || subject.leaps).map((rule) => ({
    name: rule.name,
    run: () => look(rule, subject),
  }));
}

async function look({ limits, check }: BackendRule, subject: BackendSubject): Promise<void> {
  const store = await subject.open(limits?.(subject.leaseMs) ?? {});
  const trial = new BackendTrial(subject, store);
  try {
    await trial.open();
    await check(trial);
  } finally {
    await trial.close();
  }
}
