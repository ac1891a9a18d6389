/**
 * Which endpoint takes the next connection.
 *
 * @packageDocumentation
 */
export { createPool, type EndpointPool, type PoolOptions, poolDefaults } from "./pool.js";
export { type StickyRandomOptions, stickyRandom } from "./sticky-random.js";
