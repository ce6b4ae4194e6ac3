/** Where chance comes from: retry jitter and the prefix of task ids. */
export interface Random {
  /** A number from 0 up to, but not including, 1. */
  next(): number;
}
