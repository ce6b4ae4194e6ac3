import type { HandlerFunction } from "../../task/handler-definition.js";
import type { ConformanceCase } from "./conformance-case.js";
import { CONTEXT_RULES } from "./context-rules.js";
import type { ExecutorRule } from "./executor-rule.js";
import type { ExecutorSubject } from "./executor-subject.js";
import * as handlers from "./handlers.js";
import { KILL_RULES } from "./kill-rules.js";
import { OUTCOME_RULES } from "./outcome-rules.js";
import { POOL_RULES } from "./pool-rules.js";
import { RUN_RULES } from "./run-rules.js";
import { SIGNAL_RULES } from "./signal-rules.js";
import { Trial } from "./trial.js";

/** Where an executor that runs handlers elsewhere finds those of the suite, by their exports. */
export const conformanceModule: URL = new URL("./handlers.js", import.meta.url);

/** The same functions by name, for an executor that runs handlers here. */
export const conformanceHandlers: Readonly<Record<string, HandlerFunction>> = Object.freeze({
  ...(handlers as Record<string, HandlerFunction>),
});

const RULES: readonly ExecutorRule[] = [
  ...[...OUTCOME_RULES, ...CONTEXT_RULES, ...SIGNAL_RULES],
  ...[...RUN_RULES, ...KILL_RULES, ...POOL_RULES],
];

/**
 * What every executor has to keep, as cases for any test runner: one for each rule that is meant for this
 * subject. Each makes an executor, runs handlers of `conformanceModule` in it, and closes it. To be run one
 * after another, in any order, since one of them looks at what keeps the process alive:
 *
 * ```ts
 * for (const { name, run } of executorConformance(subject)) test(name, run);
 * ```
 */
export function executorConformance(subject: ExecutorSubject): readonly ConformanceCase[] {
  return RULES.filter(({ of }) => isMeant(of, subject)).map((rule) => ({
    name: rule.name,
    run: () => look(rule, subject),
  }));
}

function isMeant(of: ExecutorRule["of"], { elsewhere, kills, pooled }: ExecutorSubject): boolean {
  switch (of) {
    case "here":
      return !elsewhere;
    case "elsewhere":
      return elsewhere;
    case "kills":
      return kills;
    case "cannot kill":
      return !kills;
    case "pooled":
      return pooled;
    case "pooled and kills":
      return pooled && kills;
    default:
      return true;
  }
}

async function look(rule: ExecutorRule, subject: ExecutorSubject): Promise<void> {
  const trial = new Trial(subject, rule.slots ?? 1);
  try {
    await rule.check(trial);
  } finally {
    // That a close is sound is a rule of its own, which this one is not to be broken by.
    await trial.close().catch(() => {});
  }
}
