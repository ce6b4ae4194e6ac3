import { Controls } from "../../src/core/manager/controls.js";
import type { Core } from "../../src/core/manager/core.js";
import type { TaskManagerOptions } from "../../src/core/manager/options.js";
import { coreOf, TaskManager } from "../../src/task-manager.js";
import { seededRandom } from "../../src/testing/seeded-random.js";

/**
 * A `TaskManager` with its core in view: the tests of model and faults listen to its events and look into its
 * registry. Its controls are those of the manager without the promises, so that observers can act at once.
 */
export class OpenManager extends TaskManager {
  readonly core: Core = coreOf(this);
  readonly controls = new Controls(this.core);

  constructor(options?: TaskManagerOptions) {
    super({ random: seededRandom(1), ...options });
  }
}
