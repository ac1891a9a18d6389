/**
 * A relay for `@gw/tcpproxy` that is written in C, for Linux: one epoll thread per core, splice(2) for bulk.
 *
 * @packageDocumentation
 */
export { exitNow, notifyService } from "./process.js";
export { type SpliceOptions, splice } from "./relay.js";
