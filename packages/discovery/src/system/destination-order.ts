import { BlockList, isIPv4 } from "node:net";
import { interfaceAddresses } from "@gw/interface";

/** Which kinds of addresses this machine has. */
export interface OwnAddresses {
  /** IPv4, other than loopback. */
  readonly v4: boolean;
  /** IPv6 with global scope. */
  readonly global6: boolean;
  /** IPv6, unique local (fc00::/7). */
  readonly local6: boolean;
  /** `::1`. */
  readonly loopback6: boolean;
}

/**
 * Sorts addresses: reachable ones first, and IPv6 before IPv4 among them. A short form of RFC 6724 (rules 1, 5 and 6, with
 * one source address of each kind); otherwise the order stays.
 */
export function sortDestinations(
  addresses: readonly string[],
  own: OwnAddresses = ownAddresses(),
): readonly string[] {
  const rank = (address: string): number => {
    const { usable, matching, precedence } = ratingOf(address, own);
    return (usable ? 1_000 : 0) + (matching ? 500 : 0) + precedence;
  };
  return addresses.toSorted((one, other) => rank(other) - rank(one));
}

interface Rating {
  /** Whether there is a source address for it (rule 1). */
  readonly usable: boolean;
  /** Whether that has the same kind (rule 5). */
  readonly matching: boolean;
  /** RFC 6724, 2.1 (rule 6). */
  readonly precedence: number;
}

function ratingOf(address: string, { v4, global6, local6, loopback6 }: OwnAddresses): Rating {
  const any6 = global6 || local6;
  if (isIPv4(address)) return { usable: v4 || address.startsWith("127."), matching: true, precedence: 35 };
  if (address === "::1") return { usable: loopback6, matching: true, precedence: 50 };
  if (/^fe[89ab]/i.test(address)) return { usable: true, matching: true, precedence: 40 };
  if (/^::ffff:/i.test(address)) return { usable: v4, matching: true, precedence: 34 };
  if (/^f[cd]/i.test(address)) return { usable: any6, matching: local6, precedence: 3 };
  if (/^2002:/i.test(address)) return { usable: any6, matching: false, precedence: 30 };
  return { usable: any6, matching: global6, precedence: 40 };
}

/** The kinds that this machine has now; all, if interfaces cannot be listed. */
function ownAddresses(): OwnAddresses {
  const all = interfaceAddresses();
  if (!all) return { v4: true, global6: true, local6: true, loopback6: true };
  const six = all
    .filter(({ family }) => family === "IPv6")
    .map(({ address }) => address.replace(/%.*$/s, ""));
  return {
    v4: all.some(({ family, internal }) => family === "IPv4" && !internal),
    global6: six.some(address => !notGlobal.check(address, "ipv6")),
    local6: six.some(address => /^f[cd]/i.test(address)),
    loopback6: six.includes("::1"),
  };
}

const notGlobal = new BlockList();
notGlobal.addAddress("::1", "ipv6");
notGlobal.addSubnet("fe80::", 10, "ipv6");
notGlobal.addSubnet("fc00::", 7, "ipv6");
