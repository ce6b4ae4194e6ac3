/** A promise of durable tasks that was not kept. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, what: string) {
    super(`${rule}: ${what}`);
    this.rule = rule;
  }
}

/** Keeps the first violation, whoever catches it on its way. */
export class Verdict {
  violation: Violation | undefined = undefined;

  /** @returns what is to be thrown */
  fail(rule: string, what: string): Violation {
    const violation = new Violation(rule, what);
    this.violation ??= violation;
    return violation;
  }
}
