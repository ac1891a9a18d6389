/**
 * Endpoint discovery for a gateway.
 *
 * @packageDocumentation
 */

export type { DnsAddresses, DnsAnswer, DnsClient, DnsClientOptions, SrvRecord } from "./dns/client.js";
export { createDnsClient } from "./dns/create-client.js";
export { type FallbackOptions, fallbackDefaults, withFallback } from "./fallback.js";
export { type Changes, createChanges as watchForChanges } from "./file/changes.js";
export { type FileOptions, file, fileDefaults } from "./file/file.js";
export {
  type MembersAuth,
  type MembersOptions,
  type MembersTls,
  members,
  membersDefaults,
} from "./members/members.js";
export { type MergeOptions, merge } from "./merge.js";
export { type ParsedEndpoints, parseEndpoint, parseEndpoints } from "./parse.js";
export { type RefreshOptions, refreshDefaults } from "./refresh.js";
export { endpointsOf, lookUpSrv, type SrvOptions, type SrvService, srv } from "./srv.js";
export { staticEndpoints } from "./static.js";
export {
  createSystemLookup,
  type HostAddresses,
  type SystemLookup,
  type SystemLookupOptions,
} from "./system/system-lookup.js";
export { type ValidatedOptions, validated, validatedDefaults } from "./validate.js";
