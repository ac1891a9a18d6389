/**
 * The suites that any Selector, Discovery or Relay must pass.
 *
 * @packageDocumentation
 */
export { type DiscoveryComplianceOptions, discoveryCompliance } from "./discovery.js";
export { relayCompliance } from "./relay.js";
export type { RelayComplianceOptions, RelayFactory } from "./relay-options.js";
export { type RelayStressOptions, relayStress } from "./relay-stress.js";
export { selectorCompliance } from "./selector.js";
export type { ComplianceCase } from "./suite.js";
