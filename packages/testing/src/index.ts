/**
 * What the tests of several packages use.
 *
 * @packageDocumentation
 */

export {
  type Certificate,
  type CertificateAuthority,
  type CertificateContent,
  createAuthority,
} from "./certificates.js";
export { type CountingProxy, startCountingProxy } from "./counting-proxy.js";
export { type DnsServer, type DnsServerOptions, freeDnsPort, startDnsServer } from "./dns-server.js";
export {
  type EtcdCluster,
  type EtcdMember,
  type EtcdOptions,
  enableAuth,
  etcdctl,
  runEtcdctl,
  startEtcd,
  startWatch,
} from "./etcd.js";
export { type EtcdVersion, etcdVersions, findEtcd, missingEtcd } from "./etcd-versions.js";
export { type Gw, type GwOptions, type LogLine, runGw, startGw } from "./gw.js";
export { type ManualClock, manualClock } from "./manual-clock.js";
export {
  createIsolation,
  createNetwork,
  type Isolation,
  type IsolationOptions,
  type Network,
  type NetworkHost,
  noIsolation,
  noNetworks,
} from "./namespaces.js";
export {
  findProgram,
  missing,
  type Outcome,
  type Program,
  type ProgramOptions,
  runProgram,
  startProgram,
} from "./program.js";
export {
  findPrometheus,
  missingPrometheus,
  type ParsedFamily,
  type ParsedSample,
  parseMetrics,
  promtool,
} from "./prometheus.js";
export { type Queue, queue } from "./queue.js";
export {
  type Backend,
  connectTo,
  digestOf,
  echo,
  freePort,
  outcome,
  type SocketOutcome,
  sendRandom,
  startBackend,
  startBlackHole,
} from "./sockets.js";
export { stallWrites } from "./stalled-writes.js";
