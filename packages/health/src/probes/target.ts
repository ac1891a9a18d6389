import { type Endpoint, GatewayError, type Probe, parseAddress, quote } from "@gw/interface";

/** Which address and path of an endpoint are checked, if not those that serve its clients. */
export interface TargetOptions {
  /** The path of the request; starts with `/`. @default the one of the probe */
  readonly path?: string | undefined;
  /** A port of the endpoint's host, such as that of etcd's `--listen-metrics-urls`. Excludes `url`. @default its own */
  readonly port?: number | undefined;
  /**
   * `http://{host}:2381/health`: a URL in which `{host}` and `{port}` stand for those of the endpoint; one of them
   * must be in it. Excludes `port`, and `path` where it has a path itself. @default none
   */
  readonly url?: string | undefined;
}

/** What is checked of one endpoint. */
export interface ProbeTarget {
  /** The address to dial; `secure` is whether it speaks TLS, if that is known. */
  readonly endpoint: Endpoint;
  /** The path to request, if one was given. */
  readonly path: string | undefined;
  /** Whether the endpoint serves its clients at that address. */
  readonly isOwn: boolean;
}

/** @throws {GatewayError} `invalid-option` */
export function probeTarget({ path, port, url }: TargetOptions): (endpoint: Endpoint) => ProbeTarget {
  if (port !== undefined && url !== undefined) throw invalid("port and url exclude each other");
  if (path !== undefined && !/^\/[!"$-~]{0,2047}$/.test(path))
    throw invalid(`path ${quote(path)} is not one: / and then visible characters of ASCII`);
  if (url !== undefined) return byTemplate(url, path);
  if (port === undefined) return endpoint => ({ endpoint, path, isOwn: true });
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw invalid(`port ${port} is not a number from 1 to 65535`);
  return endpoint => {
    if (port === endpoint.port) return { endpoint, path, isOwn: true };
    // Whether the other port speaks TLS is not known from this one: kubeadm's does not.
    const { secure: _, ...rest } = endpoint;
    return { endpoint: { ...rest, port }, path, isOwn: false };
  };
}

/** Makes the verdicts of a probe inconclusive where it checks another address than clients use. */
export function probeAt(targetOf: (endpoint: Endpoint) => ProbeTarget, probe: Probe): Probe {
  return async (endpoint, signal, request) => {
    const verdict = await probe(endpoint, signal, request);
    return targetOf(endpoint).isOwn ? verdict : { ...verdict, conclusive: false };
  };
}

const form =
  /^(?<scheme>https?):\/\/(?<host>\{host\}|\[[\d:a-f.]+(?:%[\w%.:~-]+)?\]|[^{}[\]:/?#@\s]+)(?::(?<port>\{port\}|\d+))?(?<path>\/[!"$-~]{0,2047})?$/i;

function byTemplate(url: string, path: string | undefined): (endpoint: Endpoint) => ProbeTarget {
  const parts = form.exec(url)?.groups;
  const about = `url ${quote(url)}`;
  if (!parts) throw invalid(`${about} is not of the form http(s)://host[:port][/path]`);
  const { scheme = "", host = "", port: portText, path: pathText } = parts;
  const secure = scheme.toLowerCase() === "https";
  const port = portText ?? (secure ? "443" : "80");
  const asked = pathText ?? path;
  if (pathText !== undefined && path !== undefined)
    throw invalid(`${about} has a path, and path is given too`);
  if (/\{(?!(?:host|port)\})/.test(pathText ?? "")) throw invalid(`${about} knows only {host} and {port}`);
  if (!/\{(?:host|port)\}/.test(url)) throw invalid(`${about} has neither {host} nor {port} in it`);
  const fixed = addressOf(host, port, about);
  return endpoint => ({
    endpoint: {
      ...endpoint,
      host: host === "{host}" ? endpoint.host : fixed.host,
      port: port === "{port}" ? endpoint.port : fixed.port,
      secure,
    },
    path: asked?.replace(/\{(host|port)\}/g, (_, what: "host" | "port") =>
      encodeURIComponent(endpoint[what]),
    ),
    isOwn: false,
  });
}

/** The fixed parts of the template, checked with placeholders filled in. */
function addressOf(
  host: string,
  port: string,
  about: string,
): { readonly host: string; readonly port: number } {
  try {
    return parseAddress(`${host === "{host}" ? "localhost" : host}:${port === "{port}" ? "1" : port}`, {
      url: true,
    });
  } catch (error) {
    throw invalid(`${about}: ${GatewayError.from(error, "it").detail}`);
  }
}

function invalid(detail: string): GatewayError {
  return new GatewayError("invalid-option", detail);
}
