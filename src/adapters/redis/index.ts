export { redisBackend } from "./redis-backend.js";
export type { RedisBackendOptions, RedisDeadLetterOptions, RedisRenewalOptions } from "./redis-options.js";
