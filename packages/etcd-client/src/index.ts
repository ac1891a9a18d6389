/**
 * HTTP and TLS towards etcd: connections, certificate checks, requests, and typed calls. Node's HTTP and TLS are loaded
 * when they are used for the first time.
 *
 * @packageDocumentation
 */
export {
  type CertificateCheckOptions,
  certificateCheck,
  type ServerCertificate,
} from "./certificate-check.js";
export { type ConnectionCheckOptions, checkConnection, unanswered } from "./connection-check.js";
export { createDial, type Dial, type Lookup } from "./dial.js";
export type { Condition, HealthReport, MemberIdentity, Status } from "./etcd-answers.js";
export {
  createEtcdCalls,
  type EtcdCalls,
  type HealthReply,
  type StatusReply,
  type VersionReply,
} from "./etcd-calls.js";
export {
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
  type RequestLimits,
} from "./http-client.js";
export type { HttpRequest, HttpResponse } from "./http-exchange.js";
export {
  createMemberLister,
  type EtcdAuth,
  type ListedMember,
  type MemberList,
  type MemberLister,
} from "./member-list.js";
export { createTlsContext, type TlsContext, type TlsOptions } from "./tls-context.js";
