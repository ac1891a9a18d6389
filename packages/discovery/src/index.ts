/**
 * Where a gateway's endpoints come from.
 *
 * @packageDocumentation
 */
export { type ParsedEndpoints, parseEndpoint, parseEndpoints } from "./parse.js";
export { staticEndpoints } from "./static.js";
