import { GatewayError, quote } from "@gw/interface";

/**
 * `text` as an absolute name: lower case, with its trailing dot. Names are compared in this form only.
 *
 * @throws {GatewayError} `name-not-resolved` if it is no domain name: an empty label, one of more than 63
 *   characters, a name of more than 253, anything but visible ASCII (RFC 1035 §2.3.4)
 */
export function absoluteName(text: string): string {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const labels = name.split(".");
  if (name.length <= 253 && labels.every(label => /^[!-[\]-~]{1,63}$/.test(label)))
    return lowerCase(`${name}.`);
  throw new GatewayError("name-not-resolved", `${quote(text)} is not a domain name`);
}

/** A name from a message, from which dns-packet strips the last dot, in the form of {@link absoluteName}. */
export function nameFromWire(name: string): string {
  return name === "." ? name : lowerCase(`${name}.`);
}

/** ASCII only (RFC 4343): other letters are bytes, and some of them would become ASCII. */
function lowerCase(name: string): string {
  return name.replace(/[A-Z]+/g, letters => letters.toLowerCase());
}

/** Which search rules apply to names without a trailing dot. */
export interface SearchRules {
  /** Domains that a name is tried in, in this order. */
  readonly search: readonly string[];
  /** A name with at least this many dots is tried as it is first, otherwise last. */
  readonly ndots: number;
  /** `options no-tld-query`: a name without dots is not tried as it is if there is a domain to search. */
  readonly noTldQuery?: boolean;
}

/**
 * The absolute names that `name` may stand for, in the order in which they are looked up (resolv.conf(5)):
 * only itself with a trailing dot, otherwise also in each search domain. Those that are too long are left
 * out.
 *
 * @throws {GatewayError} `name-not-resolved` if `name` itself is not a domain name
 */
export function candidateNames(name: string, { search, ndots, noTldQuery }: SearchRules): readonly string[] {
  const itself = absoluteName(name);
  if (name.endsWith(".")) return [itself];
  const searched = search.flatMap(domain => {
    try {
      return [absoluteName(domain === "." ? name : `${name}.${domain}`)];
    } catch {
      return [];
    }
  });
  const dots = name.split(".").length - 1;
  if (noTldQuery && dots === 0 && searched.length > 0) return [...new Set(searched)];
  return [...new Set(dots >= ndots ? [itself, ...searched] : [...searched, itself])];
}
