/**
 * A relay for `@gw/tcpproxy` that is written in C, for Linux: one epoll thread per core, splice(2) for bulk.
 *
 * @packageDocumentation
 */
export { exitNow } from "./exit-now.js";
export { notifyService } from "./notify.js";
export { type SpliceOptions, splice } from "./relay.js";
