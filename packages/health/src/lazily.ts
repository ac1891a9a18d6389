/**
 * Parts of Node that are loaded when they are used for the first time: a gateway that probes nothing, or nothing
 * over TLS, starts without them.
 */
export const nodeHttp = (): typeof import("node:http") => process.getBuiltinModule("node:http");
export const nodeTls = (): typeof import("node:tls") => process.getBuiltinModule("node:tls");
export const nodeCrypto = (): typeof import("node:crypto") => process.getBuiltinModule("node:crypto");
