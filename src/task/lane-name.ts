/** Where attempts run: on the event loop, or in worker threads. Each lane has slots of its own. */
export type LaneName = "inline" | "threads";
