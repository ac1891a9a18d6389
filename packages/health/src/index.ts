/**
 * Can this endpoint serve? Probes for etcd, HTTP, TLS and TCP, and the schedule that runs them.
 *
 * @packageDocumentation
 */
export { type CheckOptions, checkHealth, type HealthChecks } from "./checks/checks.js";
export { checkDefaults, probeDefaults, risingDefaults } from "./defaults.js";
export { etcdStatus, type MemberStatus, type StatusQuery } from "./member-status.js";
export { autoProbe } from "./probes/auto.js";
export { etcdProbe } from "./probes/etcd.js";
export { type HttpProbeOptions, httpProbe } from "./probes/http.js";
export type { KeptProbe, ProbeOptions, ProbeTlsOptions } from "./probes/probe.js";
export type { TargetOptions } from "./probes/target.js";
export { tcpProbe } from "./probes/tcp.js";
export { tlsProbe } from "./probes/tls.js";
export { type RisingOptions, rising } from "./rise.js";
