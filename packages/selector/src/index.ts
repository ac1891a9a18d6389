/**
 * Which endpoint takes the next connection.
 *
 * @packageDocumentation
 */
export type { DrainPolicy } from "./farewell.js";
export { first } from "./first.js";
export { leastConnections } from "./least-connections.js";
export { createPool, type EndpointPool, type PoolChange, type PoolOptions, poolDefaults } from "./pool.js";
export { type RandomOptions, random } from "./random.js";
export { roundRobin } from "./round-robin.js";
export { stickyRandom } from "./sticky-random.js";
export { type TwoChoicesOptions, twoChoices, twoChoicesDefaults } from "./two-choices.js";
export { weightedRandom } from "./weighted-random.js";
export { weightedRoundRobin } from "./weighted-round-robin.js";
