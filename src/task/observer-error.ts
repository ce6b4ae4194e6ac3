/**
 * What kind of observer an error came from: a `hook`, a `listener` to events or a `carrier` of context (which
 * instrumentation attaches), or the `filter` of a subscription.
 */
export type ObserverSource = "hook" | "listener" | "carrier" | "filter";

/** Where an error of an observer came from. */
export interface ObserverErrorOrigin {
  readonly source: ObserverSource;
  /** Of the hook, such as `onFinished`, or of the subscription; undefined where there is none. */
  readonly name?: string | undefined;
}

/** Who is told of what observers throw. */
export type ObserverErrorReporter = (error: unknown, origin: ObserverErrorOrigin) => unknown;
