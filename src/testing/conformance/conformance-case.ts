/** One rule of a conformance suite. */
export interface ConformanceCase {
  /** The rule, as a sentence about what is under test. */
  readonly name: string;
  /** Looks whether the rule is kept. Rejects where it is not, with an AssertionError in most cases. */
  run(): Promise<void>;
}
