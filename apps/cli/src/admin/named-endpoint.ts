import type { EndpointView, Status } from "@gw/admin";
import { formatAddress, GatewayError, parseAddress, quote } from "@gw/interface";
import type { AdminClient } from "./client.js";

/** The port of etcd for clients. */
const defaultPort = 2379;
/** How many endpoints an error names. */
const maxNamed = 5;

/**
 * The name of an endpoint that an operator gave as an argument, as the gateway has it: `host:port`.
 *
 * @throws {GatewayError} `invalid-endpoint`
 */
export function endpointName(text: string): string {
  try {
    return formatAddress(parseAddress(text, { defaultPort }));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-endpoint", `endpoint ${quote(text)} ${error.detail}`);
  }
}

/**
 * The endpoint of a gateway that an action is for.
 *
 * @throws {GatewayError} `refused` if it is none of its endpoints; `not-permitted` if the gateway takes no actions
 */
export function actionTarget(status: Status, name: string, client: AdminClient): EndpointView {
  if (!status.gateway.actions)
    throw new GatewayError(
      "not-permitted",
      `the gateway on ${client.name} takes no actions: start it with --admin-actions`,
    );
  const found = status.endpoints.find(({ endpoint }) => endpoint === name);
  if (found && found.state !== "foreign" && found.state !== "draining") return found;
  if (found?.state === "foreign")
    throw new GatewayError("refused", `${name} belongs to another cluster; the gateway does not use it`);
  if (found)
    throw new GatewayError("refused", `${name} is no longer an endpoint; its connections are draining`);
  const names = status.endpoints.map(({ endpoint }) => endpoint);
  const more = names.length > maxNamed ? ` and ${names.length - maxNamed} more` : "";
  throw new GatewayError(
    "refused",
    `${name} is not an endpoint of this gateway; its endpoints are ${names.slice(0, maxNamed).join(", ") || "none"}${more}`,
  );
}
