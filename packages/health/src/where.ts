import { type Endpoint, GatewayError, parseAddress, quote } from "@gw/interface";

/** Where an endpoint is asked how it is, when that is not where it serves. */
export interface WhereOptions {
  /** What is asked for: starts with `/`. @default what the probe asks for by itself */
  readonly path?: string | undefined;
  /** A port of the endpoint's host, as that of etcd's `--listen-metrics-urls`. Excludes `url`. @default its own */
  readonly port?: number | undefined;
  /**
   * `http://{host}:2381/health`: a URL in which `{host}` and `{port}` stand for those of the endpoint; one of them
   * must be in it. Excludes `port`, and `path` where it has a path itself. @default none
   */
  readonly url?: string | undefined;
}

/** Where one endpoint is asked. */
export interface Where {
  /** Whom to dial; `secure` says whether over TLS, where that is known. */
  readonly endpoint: Endpoint;
  /** What to ask for, where that was said. */
  readonly path: string | undefined;
  /** Whether that is where the endpoint serves its clients. */
  readonly own: boolean;
}

/** @throws {GatewayError} `invalid-option` */
export function whereToAsk({ path, port, url }: WhereOptions): (endpoint: Endpoint) => Where {
  if (port !== undefined && url !== undefined) throw invalid("port and url exclude each other");
  if (path !== undefined && !/^\/[!"$-~]{0,2047}$/.test(path))
    throw invalid(`path ${quote(path)} is not one: / and then visible characters of ASCII`);
  if (url !== undefined) return byTemplate(url, path);
  if (port === undefined) return endpoint => ({ endpoint, path, own: true });
  if (!(Number.isInteger(port) && port >= 1 && port <= 65_535))
    throw invalid(`port ${port} is not a number from 1 to 65535`);
  return endpoint => {
    if (port === endpoint.port) return { endpoint, path, own: true };
    // Whether the other port speaks TLS is not what was said of this one: kubeadm's does not.
    const { secure: _, ...rest } = endpoint;
    return { endpoint: { ...rest, port }, path, own: false };
  };
}

const form =
  /^(?<scheme>https?):\/\/(?<host>\{host\}|\[[\d:a-f.]+(?:%[\w%.:~-]+)?\]|[^{}[\]:/?#@\s]+)(?::(?<port>\{port\}|\d+))?(?<path>\/[!"$-~]{0,2047})?$/i;

function byTemplate(url: string, path: string | undefined): (endpoint: Endpoint) => Where {
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
    own: false,
  });
}

/** The parts that stand in the template; what is to be put in is checked as if it were there. */
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
