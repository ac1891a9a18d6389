import { readFileSync } from "node:fs";
import { GatewayError, quote } from "@gw/interface";
import type { DiscoveryFlags } from "./flags/discovery.js";

/** PEM texts for TLS towards endpoints; what the user did not give is absent. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Reads the files that `--trusted-ca-file`, `--cert-file` and `--key-file` name. What is in them is checked by
 * who uses it.
 *
 * @throws {GatewayError} `invalid-option` if one cannot be read or holds no PEM, or a certificate has no key
 */
export function readTlsFiles({ trustedCaFile, certFile, keyFile }: DiscoveryFlags): TlsFiles {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new GatewayError(
      "invalid-option",
      "--cert-file and --key-file go together, and one of them is missing",
    );
  return {
    ...(trustedCaFile !== undefined && { ca: readPem("--trusted-ca-file", trustedCaFile, "CERTIFICATE") }),
    ...(certFile !== undefined && { cert: readPem("--cert-file", certFile, "CERTIFICATE") }),
    ...(keyFile !== undefined && { key: readPem("--key-file", keyFile, "PRIVATE KEY") }),
  };
}

function readPem(flag: string, path: string, kind: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { detail } = GatewayError.from(cause, `${flag} ${quote(path)} cannot be read`);
    throw new GatewayError("invalid-option", detail, { cause });
  }
  if (text.includes("-----BEGIN ") && text.includes(`${kind}-----`)) return text;
  throw new GatewayError("invalid-option", `${flag} ${quote(path)} holds no ${kind} in PEM`);
}
