/**
 * What the tests of this repository share.
 *
 * @packageDocumentation
 */

export {
  type Certificate,
  type CertificateAuthority,
  type CertificateContent,
  createAuthority,
} from "./certificates.js";
export { type DnsServer, type DnsServerOptions, freeDnsPort, startDnsServer } from "./dns-server.js";
export {
  type EtcdCluster,
  type EtcdMember,
  etcdctl,
  runEtcdctl,
  startEtcd,
  startWatch,
} from "./etcd.js";
export { type Gw, type GwOptions, type LogLine, runGw, startGw } from "./gw.js";
export { createIsolation, type Isolation, type IsolationOptions, noIsolation } from "./isolation.js";
export { type ManualClock, manualClock } from "./manual-clock.js";
export { createNetwork, type Network, type NetworkHost, noNetworks } from "./network.js";
export { type Outcome, type Program, type ProgramOptions, runProgram, startProgram } from "./program.js";
export { type Queue, queue } from "./queue.js";
export { findProgram, missing } from "./requirements.js";
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
