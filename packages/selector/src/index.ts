/**
 * Which endpoint takes the next connection.
 *
 * @packageDocumentation
 */
export type { OnRemoved } from "./farewell.js";
export { createPool, type EndpointPool, type PoolOptions, poolDefaults } from "./pool.js";
export { type StickyRandomOptions, stickyRandom } from "./sticky-random.js";
