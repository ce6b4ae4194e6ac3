import { MiddlewareError } from "../../errors.js";
import type { AttemptMiddleware } from "../../task/middleware.js";
import type { Outcome } from "../../task/outcome.js";
import { isSteering } from "../../task/steering.js";
import type { TaskContext } from "../../task/task-context.js";

/** One middleware round attempts. */
export interface AttemptLayer {
  readonly name: string;
  readonly attempt: AttemptMiddleware;
}

/** Middleware round attempts, the outermost first. */
export class AttemptChain {
  readonly #layers: readonly AttemptLayer[];

  constructor(layers: readonly AttemptLayer[]) {
    this.#layers = layers;
  }

  /**
   * Passes one attempt through every layer to its handler.
   * @param handler runs the handler; called at most once
   * @returns the outcome of the outermost layer, when all that was begun has ended. It does not reject
   */
  run(context: TaskContext, handler: () => Promise<unknown>): Promise<Outcome> {
    return new Promise((resolve) => new Passage(this.#layers, context, handler, resolve).begin(0));
  }
}

/** One attempt on its way through the layers. */
class Passage {
  readonly #layers: readonly AttemptLayer[];
  readonly #context: TaskContext;
  readonly #handler: () => Promise<unknown>;
  readonly #end: (outcome: Outcome) => void;
  /** Layers, and the handler, that have begun and not ended. */
  #going = 0;
  #outcome: Outcome | undefined;

  constructor(
    layers: readonly AttemptLayer[],
    context: TaskContext,
    handler: () => Promise<unknown>,
    end: (outcome: Outcome) => void,
  ) {
    this.#layers = layers;
    this.#context = context;
    this.#handler = handler;
    this.#end = end;
  }

  /** Begins the layer with this index, or the handler after the last one. */
  begin(index: number): Promise<unknown> {
    const layer = this.#layers[index];
    const turn: Turn = { begun: false, over: false };
    this.#going++;
    const value = layer === undefined ? this.#handler() : this.#enter(layer, index, turn);
    // That it is looked at here also keeps a rejection that nobody else handles from being an unhandled one.
    value.then(
      (value) => this.#leave(index, turn, toOutcome(value)),
      (thrown: unknown) => this.#leave(index, turn, { returned: false, thrown }),
    );
    return value;
  }

  #enter(layer: AttemptLayer, index: number, turn: Turn): Promise<unknown> {
    const next = () => {
      if (turn.begun) return refuse(layer, "called next() a second time");
      if (turn.over) return refuse(layer, "called next() after it had ended");
      turn.begun = true;
      return this.begin(index + 1);
    };
    return new Promise((resolve) => resolve(layer.attempt(this.#context, next)));
  }

  #leave(index: number, turn: Turn, outcome: Outcome): void {
    turn.over = true;
    if (index === 0) this.#outcome = outcome;
    this.#going--;
    if (this.#going === 0 && this.#outcome !== undefined) this.#end(this.#outcome);
  }
}

/** What became of one layer: whether it has called `next`, and whether it has ended. */
interface Turn {
  begun: boolean;
  over: boolean;
}

function refuse({ name }: AttemptLayer, rule: string): Promise<never> {
  const refused = Promise.reject(new MiddlewareError(name, rule));
  refused.catch(() => {});
  return refused;
}

/** What is to be thrown, and is returned, is taken as thrown, as from a handler. */
function toOutcome(value: unknown): Outcome {
  return isSteering(value) ? { returned: false, thrown: value } : { returned: true, value };
}
