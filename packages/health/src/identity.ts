/**
 * Which endpoints belong to one etcd cluster. An entry of its own, so that a gateway can start without the probes.
 *
 * @packageDocumentation
 */

export { identityTimeoutMs } from "./defaults.js";
export { identifyCluster, wrongCluster } from "./identity/cluster-identity.js";
export type { ClusterIdentity, ClusterIdentityOptions, IdentityUse } from "./identity/contract.js";
export type { AcceptedCluster } from "./identity/decision.js";
