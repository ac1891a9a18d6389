import { lookup as systemLookup } from "node:dns/promises";
import { type Clock, GatewayError, quote } from "@gw/interface";

/** Resolves a host name to IP addresses, best first. Rejects when there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** `getaddrinfo`, so that /etc/hosts and the system's resolver configuration hold. */
export const systemAddresses: Lookup = async host =>
  (await systemLookup(host, { all: true })).map(({ address }) => address);

/** For how long an answer is used without asking again. `getaddrinfo` tells no TTL. */
const freshMs = 10_000;
/** For how long an answer is used while the next is on its way; beyond it the next is waited for. */
const staleMs = 60_000;
/** Names come from the network in some set-ups; the memory of them must not grow for ever. */
const maxNames = 1_000;

interface Known {
  addresses: readonly string[];
  at: number;
}

/**
 * Remembers the addresses of names, so that a dial does not wait for DNS and an outage of DNS does not end
 * the service. One look-up per name is under way at a time.
 */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<readonly string[]>>();

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** The addresses of `host`, at once if they are remembered. Old ones when a look-up fails. */
  async addresses(host: string): Promise<readonly string[]> {
    const known = this.#known.get(host);
    if (!known) return this.refresh(host);
    const age = this.#clock.now() - known.at;
    if (age <= freshMs) return known.addresses;
    const refreshed = this.refresh(host).catch(() => known.addresses);
    return age <= staleMs ? known.addresses : refreshed;
  }

  /** Asks now, or joins the look-up that is under way. */
  refresh(host: string): Promise<readonly string[]> {
    const underWay = this.#underWay.get(host);
    if (underWay) return underWay;
    const asked = this.#ask(host).finally(() => this.#underWay.delete(host));
    this.#underWay.set(host, asked);
    return asked;
  }

  /** `address` could be connected to: it goes first from now on. */
  prefer(host: string, address: string): void {
    const known = this.#known.get(host);
    if (known && known.addresses[0] !== address) known.addresses = preferring(address, known.addresses);
  }

  async #ask(host: string): Promise<readonly string[]> {
    try {
      const answer = await this.#lookup(host);
      if (answer.length === 0) throw new GatewayError("name-not-resolved", `${quote(host)} has no address`);
      const [best] = this.#known.get(host)?.addresses ?? [];
      const addresses = preferring(best, answer);
      this.#remember(host, { addresses, at: this.#clock.now() });
      return addresses;
    } catch (error) {
      throw GatewayError.from(error, `look up ${quote(host)}`);
    }
  }

  #remember(host: string, known: Known): void {
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= maxNames && !this.#known.has(host))
      this.#known.delete(oldest);
    this.#known.set(host, known);
  }
}

/** `addresses` with `first` in front, if it is one of them. */
function preferring(first: string | undefined, addresses: readonly string[]): readonly string[] {
  if (first === undefined || !addresses.includes(first)) return addresses;
  return [first, ...addresses.filter(address => address !== first)];
}
