/**
 * The suites that any Selector or Discovery must pass.
 *
 * @packageDocumentation
 */
export { type DiscoveryComplianceOptions, discoveryCompliance } from "./discovery.js";
export { selectorCompliance } from "./selector.js";
export type { ComplianceCase } from "./suite.js";
