import type { Status } from "@gw/admin";
import { formatAddress, GatewayError, parseAddress, printable, quote } from "@gw/interface";
import type { Command } from "commander";
import { type AdminAddress, adminAddrFlag } from "../flags/admin.js";
import { declareFlags, valuesOf } from "../flags/table.js";
import { printJson, printLines } from "../output/stdio.js";

const flags = { adminAddr: adminAddrFlag };

/** Adds `gw why`. */
export function addWhy(gw: Command): void {
  const command = gw
    .command("why")
    .argument("[endpoint]", "explain its state instead of the last switch")
    .description("explain the last switch, or an endpoint's state")
    .usage("[flags] [endpoint]")
    .option("--json", "print JSON: the sentences and the events behind them")
    .helpOption("-h, --help", "print this help");
  declareFlags(command, flags);
  command.action((endpoint: string | undefined, { json = false }: { readonly json?: boolean }) =>
    why(endpoint, { ...valuesOf(gw, command, flags), json }),
  );
}

/** @throws {GatewayError} if the gateway does not answer, or the endpoint is unknown */
async function why(
  endpoint: string | undefined,
  { adminAddr, json }: { readonly adminAddr?: AdminAddress; readonly json: boolean },
): Promise<void> {
  const { createAdminClient } = await import("../admin/client.js");
  const client = createAdminClient(adminAddr);
  const name = endpoint === undefined ? undefined : nameOf(endpoint);
  const [status, answer, { explainSwitch }, { explainEndpoint }, { localTime }] = await Promise.all([
    client.status(),
    client.events(),
    import("../why/explain-switch.js"),
    import("../why/explain-endpoint.js"),
    import("../why/local-time.js"),
  ]);
  const known = { status, answer, time: localTime(new Date(status.gateway.now)) };
  const explanation =
    name === undefined ? explainSwitch(known) : explainEndpoint(known, found(name, status, answer));
  const lines = explanation.lines.map(printable);
  if (json)
    printJson({ schema: 1, sentences: lines.filter(line => line !== ""), events: explanation.evidence });
  else printLines(lines);
}

/** The port of etcd's clients. */
const defaultPort = 2379;

function nameOf(text: string): string {
  try {
    return formatAddress(parseAddress(text, { defaultPort }));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    throw new GatewayError("invalid-endpoint", `endpoint ${quote(text)} ${error.detail}`);
  }
}

/** How many endpoints an error names. */
const maxNamed = 5;

/** @returns `name` @throws {GatewayError} `invalid-endpoint` if nothing is known of it */
function found(
  name: string,
  { endpoints }: Status,
  { events }: { readonly events: readonly { readonly endpoint?: string | undefined }[] },
): string {
  if (endpoints.some(({ endpoint }) => endpoint === name)) return name;
  if (events.some(({ endpoint }) => endpoint === name)) return name;
  const names = endpoints.slice(0, maxNamed).map(({ endpoint }) => endpoint);
  const more = endpoints.length > maxNamed ? ` and ${endpoints.length - maxNamed} more` : "";
  throw new GatewayError(
    "invalid-endpoint",
    `${name} is not an endpoint of this gateway; its endpoints are ${names.join(", ") || "none"}${more}`,
  );
}
