/**
 * What kind of observer an error came from: a `hook`, a `listener` to events or a `carrier` of context (which
 * instrumentation attaches), the `filter` of a subscription, `middleware` round a call that was made already,
 * or the `logger` of the manager.
 */
export type ObserverSource = "hook" | "listener" | "carrier" | "filter" | "middleware" | "logger";

/** Where an error of an observer came from. */
export interface ObserverErrorOrigin {
  readonly source: ObserverSource;
  /** Of the hook, such as `onFinished`, the subscription or the middleware; undefined where it has none. */
  readonly name?: string | undefined;
}

/** Who is told of what observers throw. */
export type ObserverErrorReporter = (error: unknown, origin: ObserverErrorOrigin) => void;
