// @ts-check

/** What went wrong with one row. */
class RowError extends Error {
  /**
   * @param {number} row
   * @param {ErrorOptions} [options]
   */
  constructor(row, options) {
    super(`Row ${row} cannot be read`, options);
    this.name = "RowError";
    this.code = "E_ROW";
    this.row = row;
  }
}

/** @param {string[]} rows */
export default function importRows(rows) {
  /** @type {RowError[]} */
  const errors = [];
  const values = rows.flatMap((text, row) => {
    try {
      return [JSON.parse(text)];
    } catch (error) {
      errors.push(new RowError(row, { cause: error }));
      return [];
    }
  });
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} rows cannot be read`);
  return values;
}

/** @param {number} exitCode */
export function exit(exitCode) {
  process.exit(exitCode);
}

export function giveFunction() {
  return { rows: [1, 2], onEnd: () => {} };
}
