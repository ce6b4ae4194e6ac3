export { redisBackend } from "./redis-backend.js";
export type { RedisBackendOptions, RedisDeadLetterOptions } from "./redis-options.js";
