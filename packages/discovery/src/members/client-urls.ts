import { isIPv4 } from "node:net";
import type { ListedMember } from "@gw/etcd-client";
import { type Endpoint, GatewayError, messageOf, quote } from "@gw/interface";
import { parseEndpoint } from "../parse.js";

/** A member and the endpoints that it advertises. */
interface AdvertisingMember {
  readonly name: string;
  /** Of its http(s) client URLs; none before it has started. */
  readonly endpoints: readonly Endpoint[];
  readonly isLearner: boolean;
}

/** The cluster as one server lists it. */
export interface AdvertisingCluster {
  readonly members: readonly AdvertisingMember[];
  /** Client URLs that are ignored: those beyond the first 64, and link-local ones without a zone. @default none */
  readonly ignored?: readonly string[] | undefined;
  /** Whether the server runs on this machine, so that its loopback addresses are those of this machine. */
  readonly isLocal: boolean;
  /** Whether it was reached at a link-local address. @default false */
  readonly isLinkLocal?: boolean | undefined;
}

/** A limit, so that a server that lies cannot make this machine connect to many addresses. */
const maxUrls = 64;

/**
 * Parses the client URLs of all members. 64 of them are kept: the first of each member, then the second of each, and so
 * on.
 *
 * @param operation what errors begin with
 * @throws {GatewayError} `unknown` if one is no URL of an endpoint
 */
export function parseClientUrls(
  members: readonly ListedMember[],
  operation: string,
): Pick<AdvertisingCluster, "members" | "ignored"> {
  const listed = members.map(({ clientUrls }) => clientUrls.filter(url => !/^unixs?:/i.test(url)));
  const usable = listed.map(urls => urls.filter(url => !linkLocalWithoutZone.test(url)));
  const kept = keptOf(usable.map(({ length }) => length));
  return {
    members: members.map(({ name, isLearner }, index) => ({
      name,
      isLearner,
      endpoints: (usable[index] ?? []).slice(0, kept[index]).map(url => parseClientUrl(url, name, operation)),
    })),
    ignored: [
      ...usable.flatMap((urls, index) => urls.slice(kept[index])),
      ...listed.flat().filter(url => linkLocalWithoutZone.test(url)),
    ],
  };
}

/** A URL of a link-local address (fe80::/10) without its interface, to which no host can connect. */
const linkLocalWithoutZone = /^https?:\/\/\[fe[89ab][0-9a-f]:[0-9a-f:.]*\]/i;

/** How many of each are kept, given the number of each. */
function keptOf(counts: readonly number[]): readonly number[] {
  const kept = counts.map(() => 0);
  let left = maxUrls;
  for (let before = Infinity; left > 0 && left < before; ) {
    before = left;
    for (const [index, count] of counts.entries()) {
      if (left === 0 || kept[index] === count) continue;
      kept[index] = (kept[index] ?? 0) + 1;
      left -= 1;
    }
  }
  return kept;
}

function parseClientUrl(url: string, name: string, operation: string): Endpoint {
  try {
    if (/^https?:\/\//i.test(url)) return parseEndpoint(url);
    throw new GatewayError("invalid-endpoint", `${quote(url)} is neither http nor https`);
  } catch (error) {
    const fault = error instanceof GatewayError ? error.detail : messageOf(error);
    throw new GatewayError("unknown", `${operation}: member ${quote(name)} has a wrong client URL: ${fault}`);
  }
}

/** Whether a host is the loopback interface of each machine: `localhost` (RFC 6761) or one of its addresses. */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^::ffff:(?=\d+\.)/, "");
  return (
    /(?:^|\.)localhost\.?$/.test(host) || host === "::1" || (isIPv4(address) && address.startsWith("127."))
  );
}

/** Whether a connection between these two addresses stays on one machine; false if they are not known. */
export function isSameMachine(localAddress: string, remoteAddress: string): boolean {
  return isLoopback(remoteAddress) || (remoteAddress !== "" && localAddress === remoteAddress);
}
