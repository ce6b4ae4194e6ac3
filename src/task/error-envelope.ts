export interface ErrorEnvelope {
  readonly v: 1;
  readonly error: unknown;
}
