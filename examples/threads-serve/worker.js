// @ts-check
// The one file for all threads: what a bundler makes of a worker entry and all that it imports.
import { serveHandlers, workerData } from "millrace/worker";

serveHandlers({
  /** @param {string} text */
  countWords: (text) => text.split(/\s+/).filter(Boolean).length,

  /**
   * @param {{ words: string[] }} payload
   * @param {import("millrace/worker").TaskContext} context
   */
  sortWords: async ({ words }, { enqueue }) => {
    const { locale } = /** @type {{ locale: string }} */ (workerData());
    await enqueue("countWords", words.join(" "), { id: "counted" }); // any handler of the manager
    return words.toSorted(new Intl.Collator(locale).compare);
  },
});
