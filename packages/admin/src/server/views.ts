import type { AdminGateway } from "../contract/gateway.js";
import type { Status } from "../contract/status.js";
import { metricsContentTypes } from "../metrics/writer.js";
import { type Answer, json, parseAccept, text } from "./answer.js";
import { endpointOf, flag, wholeNumber } from "./query.js";

/** What the routes that only show something are given. */
export interface ViewRequest {
  readonly gateway: AdminGateway;
  readonly query: URLSearchParams;
  readonly accept: string | undefined;
}

/** `GET /livez`: this process answers. */
export function livez(): Answer {
  return text(200, "ok");
}

/** `GET /readyz[?verbose]`, in the format of Kubernetes: the checks are listed if one fails, or on demand. */
export function readyz({ gateway, query }: ViewRequest): Answer {
  const verbose = flag(query, "verbose");
  const status = gateway.status();
  if (status.ready && !verbose) return text(200, "ok");
  const lines = readinessOf(status).map(({ name, failure }) =>
    failure === undefined ? `[+]${name} ok` : `[-]${name} failed: ${failure}`,
  );
  return text(
    status.ready ? 200 : 503,
    [...lines, status.ready ? "readyz check passed" : "readyz check failed"].join("\n"),
  );
}

interface Readiness {
  readonly name: string;
  readonly failure: string | undefined;
}

function readinessOf(status: Status): readonly Readiness[] {
  const { state } = status.gateway;
  const up = status.endpoints.some(endpoint => endpoint.state === "up");
  const checks = [
    { name: "listening", failure: state === "serving" ? undefined : `the gateway is ${state}` },
    { name: "endpoint-up", failure: up ? undefined : whyNoneIsUp(status) },
  ];
  const explained = status.ready || checks.some(({ failure }) => failure !== undefined);
  return explained ? checks : [...checks, { name: "ready", failure: "the gateway is not ready" }];
}

function whyNoneIsUp({ endpoints }: Status): string {
  return endpoints.length === 0 ? "there are no endpoints" : `none of ${endpoints.length} endpoints is up`;
}

/** `GET /status[?pretty]` */
export function status({ gateway, query }: ViewRequest): Answer {
  const pretty = flag(query, "pretty");
  return json(200, gateway.status(), pretty);
}

/** `GET /events[?after=ID][&replay]`: those with a greater id; with `replay` also what `gw replay` runs. */
export function events({ gateway, query }: ViewRequest): Answer {
  const after = wholeNumber(query, "after", { least: 0, most: Number.MAX_SAFE_INTEGER, fallback: 0 });
  const pretty = flag(query, "pretty");
  const answer = gateway.events({ replay: flag(query, "replay") });
  const newer = query.has("after") ? answer.events.filter(({ id }) => id > after) : answer.events;
  return json(200, { ...answer, events: newer }, pretty);
}

/** `GET /connections?after=N&limit=M&endpoint=host:port` */
export function connections({ gateway, query }: ViewRequest): Answer {
  const after = wholeNumber(query, "after", { least: 0, most: Number.MAX_SAFE_INTEGER, fallback: 0 });
  const limit = wholeNumber(query, "limit", { least: 1, most: 1000, fallback: 100 });
  const endpoint = endpointOf(query);
  const pretty = flag(query, "pretty");
  return json(200, gateway.connections({ after, limit, endpoint }), pretty);
}

/** `GET /metrics`: in OpenMetrics for those that prefer it, else in the text format of Prometheus. */
export function metrics({ gateway, accept }: ViewRequest): Answer {
  const format = prefersOpenMetrics(accept) ? "openmetrics" : "prometheus";
  return {
    status: 200,
    type: metricsContentTypes[format],
    body: gateway.metrics(format),
    headers: { Vary: "Accept, Accept-Encoding" },
  };
}

function prefersOpenMetrics(accept: string | undefined): boolean {
  const items = parseAccept(accept ?? "");
  const best = (type: string, versions: readonly string[]): number =>
    Math.max(
      0,
      ...items
        .filter(
          ({ value, parameters }) => value === type && versions.includes(parameters.get("version") ?? ""),
        )
        .map(({ quality }) => quality),
    );
  const open = best("application/openmetrics-text", ["", "1.0.0"]);
  return open > 0 && open >= best("text/plain", ["", "0.0.4"]);
}
