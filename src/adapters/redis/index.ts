export { redisBackend } from "./redis-backend.js";
export type {
  CreateRenewalClient,
  RedisBackendOptions,
  RedisDeadLetterOptions,
  RedisRenewalOptions,
} from "./redis-options.js";
