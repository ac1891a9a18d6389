/**
 * Which endpoint takes the next connection.
 *
 * @packageDocumentation
 */
export { first } from "./policies/first.js";
export { type LeaderOptions, leader, leaderDefaults } from "./policies/leader.js";
export { leastConnections } from "./policies/least-connections.js";
export { type NearestOptions, nearest, nearestDefaults } from "./policies/nearest.js";
export { type RandomOptions, random } from "./policies/random.js";
export { roundRobin } from "./policies/round-robin.js";
export { type StickyRandomOptions, stickyRandom } from "./policies/sticky-random.js";
export { type TwoChoicesOptions, twoChoices, twoChoicesDefaults } from "./policies/two-choices.js";
export { weightedRandom } from "./policies/weighted-random.js";
export { weightedRoundRobin } from "./policies/weighted-round-robin.js";
export type { EndpointPool, PoolChange, RejectedEndpoint } from "./pool/endpoint-pool.js";
export { type DrainPolicy, type PoolOptions, poolDefaults } from "./pool/options.js";
export { createPool } from "./pool/pool.js";
export type { PoolDecision, PoolInput, PoolRecord, RecordedOptions, RecordItem } from "./replay/record.js";
export { type PoolRecording, recordDecisions } from "./replay/recording.js";
export { maxReplayed, type Replay, replayDecisions, type TimedDecision } from "./replay/replay.js";
