/**
 * Can this endpoint serve?
 *
 * @packageDocumentation
 */
export { autoProbe } from "./auto-probe.js";
export { type CheckOptions, checkHealth, type HealthChecks } from "./check-health.js";
export { checkDefaults, probeDefaults, risingDefaults, tlsProbeDefaults } from "./defaults.js";
export type { Dial } from "./dial-tcp.js";
export { etcdProbe } from "./etcd-probe.js";
export { etcdStatus, type MemberStatus, type StatusQuestion } from "./etcd-status.js";
export type { HealthObserver } from "./health-observer.js";
export { type HttpProbeOptions, httpProbe } from "./http-probe.js";
export type { KeptProbe, ProbeOptions } from "./probing.js";
export { type RisingOptions, rising } from "./rising.js";
export { tcpProbe } from "./tcp-probe.js";
export type { TlsVerdict } from "./tls-conversation.js";
export { tlsHealthProbe } from "./tls-health-probe.js";
export { type TlsProbeOptions, tlsProbe } from "./tls-probe.js";
export type { TlsOptions } from "./tls-side.js";
export type { WhereOptions } from "./where.js";
