/**
 * Can this endpoint serve?
 *
 * @packageDocumentation
 */
export type { TlsVerdict } from "./tls-conversation.js";
export { type TlsProbeOptions, tlsProbe, tlsProbeDefaults } from "./tls-probe.js";
