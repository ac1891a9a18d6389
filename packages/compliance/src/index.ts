/**
 * The suites that any Selector, Discovery or Relay must pass.
 *
 * @packageDocumentation
 */
export { type DiscoveryComplianceOptions, discoveryCompliance } from "./discovery/discovery-compliance.js";
export type { RelayComplianceOptions, RelayFactory } from "./relay/options.js";
export { relayCompliance } from "./relay/relay-compliance.js";
export { type RelayStressOptions, relayStress } from "./relay/stress.js";
export { selectorCompliance } from "./selector/selector-compliance.js";
export type { ComplianceCase } from "./suite.js";
