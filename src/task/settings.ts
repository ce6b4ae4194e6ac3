import { type Backoff, exponential } from "./backoff.js";

/** How the attempts of a task are run; resolved from all layers when the task is accepted. */
export interface TaskSettings {
  /** Limit of one attempt in milliseconds, from its real start; `false` for none. */
  readonly timeoutMs: number | false;
  /** Starts of the handler, the first included. */
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  /** From the abort of an attempt to the end of waiting for it, in milliseconds. */
  readonly killAfterMs: number;
}

/** One layer of settings: what it does not say, the next one does. */
export type SettingsLayer = { readonly [K in keyof TaskSettings]?: TaskSettings[K] | undefined };

/** What holds when nobody says anything. */
export const BUILT_IN_SETTINGS: TaskSettings = Object.freeze({
  timeoutMs: 300_000,
  maxAttempts: 1,
  backoff: exponential(),
  killAfterMs: 1_000,
});

/**
 * Merges layers, the first that says something wins: task, handler, queue, manager, then the built-in ones.
 * Gives back the complete layer itself where nothing before it says anything, so that tasks without
 * options of their own share one object.
 */
export function resolveSettings(complete: TaskSettings, ...layers: readonly SettingsLayer[]): TaskSettings {
  if (layers.every(saysNothing)) return complete;
  const pick = <K extends keyof TaskSettings>(key: K): TaskSettings[K] => {
    for (const layer of layers) {
      const said = layer[key];
      if (said !== undefined) return said as TaskSettings[K];
    }
    return complete[key];
  };
  return Object.freeze({
    timeoutMs: pick("timeoutMs"),
    maxAttempts: pick("maxAttempts"),
    backoff: pick("backoff"),
    killAfterMs: pick("killAfterMs"),
  });
}

function saysNothing(layer: SettingsLayer): boolean {
  return (
    layer.timeoutMs === undefined &&
    layer.maxAttempts === undefined &&
    layer.backoff === undefined &&
    layer.killAfterMs === undefined
  );
}
