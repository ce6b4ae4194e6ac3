/**
 * Up to so many objects are told apart by comparing each with all, which costs less than a Set and the memory
 * for it: most values that are walked over have fewer.
 */
const FEW_OBJECTS = 16;

/** Which objects a walk has met. */
export class SeenObjects {
  #few: object[] | undefined;
  #many: Set<object> | undefined;

  /** Whether it has been met before; from now on it has. */
  meet(value: object): boolean {
    if (this.#many !== undefined) {
      if (this.#many.has(value)) return true;
      this.#many.add(value);
      return false;
    }
    if (this.#few === undefined) {
      this.#few = [value];
      return false;
    }
    if (this.#few.includes(value)) return true;
    if (this.#few.push(value) > FEW_OBJECTS) this.#many = new Set(this.#few);
    return false;
  }
}
