import { type ClientRequest, type IncomingMessage, request as plainRequest } from "node:http";
import { type RequestOptions, request as secureRequest } from "node:https";
import { isIP, type Socket } from "node:net";
import type { ConnectionOptions } from "node:tls";
import {
  certificateNameFault,
  connectFirst,
  type Endpoint,
  formatAddress,
  GatewayError,
  interleaveFamilies,
  type Limits,
  messageOf,
  serverNameOf,
  withLocalZone,
  withTimeout,
} from "@gw/interface";
import { scopeOf } from "../address-scope.js";
import { isLoopback } from "./loopback.js";

/** Whom to trust in TLS, and who to be; PEM. */
export interface MembersTls {
  /** @default the CAs that Node trusts */
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
}

/** How requests are made. */
export interface PostOptions extends Limits {
  readonly tls: MembersTls;
  readonly serverNames: readonly string[];
  readonly lookup: (host: string) => Promise<readonly string[]>;
}

/** An answer, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Whether the server runs on this machine, so that what it calls localhost is what we call so. */
  readonly local: boolean;
  /** Whether it was reached at a link-local address. */
  readonly linkLocal: boolean;
}

/** More than any cluster says of itself. */
const mostBytes = 1024 * 1024;

/**
 * Posts JSON to a server, over TLS if the endpoint is `secure`, on a connection of its own. Follows no redirect.
 *
 * @throws {GatewayError} if there is no whole answer within `timeoutMs` and 1 MiB
 */
export async function post(
  endpoint: Endpoint,
  path: string,
  body: object,
  token: string | undefined,
  options: PostOptions,
): Promise<Answer> {
  const text = JSON.stringify(body);
  try {
    return await withTimeout(options, (resolve, reject) => {
      const connecting = new AbortController();
      let stop = (): void => connecting.abort();
      const send = (socket: Socket): void => {
        stop = () => socket.on("error", () => {}).destroy();
        const request = begin(endpoint, path, socket, options, {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(text),
          ...(token !== undefined && { authorization: token }),
        });
        stop = () => {
          request.destroy();
          socket.destroy();
        };
        request.on("error", reject);
        request.on("response", response => read(response).then(resolve, reject));
        request.end(text);
      };
      connectTo(endpoint, options, connecting.signal).then(send).catch(reject);
      return () => stop();
    });
  } catch (error) {
    throw explained(error, `ask ${formatAddress(endpoint)}`, endpoint);
  }
}

/** Connects to the first address of a host that accepts; one that does not answer costs 250 ms (RFC 8305). */
export async function connectTo(
  { host, port }: Endpoint,
  { lookup, timeoutMs }: Pick<PostOptions, "lookup" | "timeoutMs">,
  signal: AbortSignal,
): Promise<Socket> {
  const addresses = isIP(host) ? [withLocalZone(host)] : interleaveFamilies(await lookup(host));
  if (addresses.length === 0) throw new GatewayError("name-not-resolved", `${host} has no address`);
  const targets = addresses.map(address => ({ host: address, port }));
  try {
    return (await connectFirst(targets, { timeoutMs, signal, allowHalfOpen: false })).socket;
  } catch (error) {
    // The caller names the address already, unless it has a name.
    if (isIP(host) && error instanceof GatewayError && error.cause) throw error.cause;
    throw error;
  }
}

/** @param socket is connected, and the request's from now on */
function begin(
  { host, port, secure }: Endpoint,
  path: string,
  socket: Socket,
  { tls, serverNames }: PostOptions,
  headers: NonNullable<RequestOptions["headers"]>,
): ClientRequest {
  const names = [host, ...serverNames];
  const options: RequestOptions = {
    method: "POST",
    host: withLocalZone(host),
    port,
    path,
    agent: false,
    // A zone means nothing to others (RFC 6874, 1).
    headers: { host: formatAddress({ host: host.replace(/%.*$/s, ""), port }), ...headers },
  };
  if (!secure) return plainRequest({ ...options, createConnection: () => socket });
  const secureOptions: ConnectionOptions = {
    socket,
    ca: tls.ca,
    cert: tls.cert,
    key: tls.key,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    // As in Go, a CA that is given may be an intermediate one, or the server's own certificate.
    allowPartialTrustChain: tls.ca !== undefined,
    servername: serverNameOf(names),
    // Called before the request, and so the credentials in it, is sent. Node's own takes common names and `h*`.
    checkServerIdentity(_, { subjectaltname }) {
      const fault = certificateNameFault(subjectaltname, names);
      return fault === undefined ? undefined : new GatewayError("untrusted", fault);
    },
  };
  return secureRequest({ ...options, ...secureOptions });
}

async function read(response: IncomingMessage): Promise<Answer> {
  const { localAddress, remoteAddress = "" } = response.socket;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > mostBytes) throw new GatewayError("unknown", "the answer is larger than 1 MiB");
    chunks.push(chunk);
  }
  if (!response.complete) throw new GatewayError("reset", "the answer is cut off");
  return {
    status: response.statusCode ?? 0,
    text: Buffer.concat(chunks).toString("utf8"),
    local: localAddress === remoteAddress || isLoopback(remoteAddress),
    linkLocal: scopeOf(remoteAddress) === "link-local",
  };
}

/** A server that wants TLS says so in its own ways: with an alert, with 400, or by hanging up. */
function explained(error: unknown, doing: string, { secure }: Endpoint): GatewayError {
  const { rawPacket, code } = error as { readonly rawPacket?: Buffer; readonly code?: string };
  const hint = secure === undefined ? "; if it speaks TLS, write https:// in front of it" : "";
  if (rawPacket?.[0] === tlsAlert)
    return new GatewayError("untrusted", `${doing}: it speaks TLS; write https:// in front of it`, {
      cause: error,
    });
  if (code?.startsWith("HPE_"))
    return new GatewayError("unknown", `${doing}: no HTTP answer (${code})`, { cause: error });
  if (error instanceof GatewayError) return new GatewayError(error.code, `${doing}: ${error.detail}`);
  const known = GatewayError.from(error, doing);
  if (!secure && known.code === "reset")
    return new GatewayError("reset", `${known.detail}${hint}`, { cause: error });
  if (!secure || known.code !== "unknown") return known;
  return new GatewayError("untrusted", `${doing}: ${messageOf(error)}`, { cause: error });
}

/** The type of a TLS record that holds an alert (RFC 8446, 5.1). */
const tlsAlert = 0x15;
