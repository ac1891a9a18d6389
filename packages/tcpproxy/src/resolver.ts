import {
  type Clock,
  GatewayError,
  getaddrinfo,
  interleaveFamilies,
  quote,
  startTimeout,
} from "@gw/interface";

/**
 * Resolves a host name to IP addresses, best first. `ttlMs` is for how long they may be used, if that is known. `fresh`
 * asks to bypass caches, because none of the remembered addresses accepted.
 */
export type Lookup = (
  host: string,
  options?: { readonly fresh?: boolean },
) => Promise<{
  readonly addresses: readonly string[];
  readonly ttlMs?: number;
}>;

/**
 * `getaddrinfo`, so that /etc/hosts and the system's resolver configuration apply. It has no TTL. A few look-ups run at
 * a time, in one queue for the process.
 */
export const systemLookup: Lookup = async host => ({ addresses: await getaddrinfo(host) });

/** For how long an answer is used without another look-up, unless its TTL is shorter. */
const longestFreshMs = 10_000;
/** Up to this part of that time is taken off at random: the answers of many gateways may expire at the same moment. */
const freshJitter = 0.2;
/** After this time a dial waits for another look-up, but no longer than {@link quickMs}. */
const staleMs = 60_000;
/** How long a dial waits for DNS while it has old addresses. */
const quickMs = 250;
/** Names may come from the network; the memory for them must not grow without bound. */
const maxNames = 1_000;

interface Known {
  addresses: readonly string[];
  readonly at: number;
  readonly freshMs: number;
}

/**
 * Remembers the addresses of names, so that a dial does not wait for DNS and an outage of DNS does not end
 * the service. One look-up per name is under way at a time.
 */
export class Resolver {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onChange: () => void;
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<readonly string[]>>();

  /**
   * @param random a number in [0, 1), for jitter
   * @param onChange called when a name has other addresses than before, or another order of them
   */
  constructor(lookup: Lookup, clock: Clock, random: () => number, onChange: () => void = () => {}) {
    this.#lookup = lookup;
    this.#clock = clock;
    this.#random = random;
    this.#onChange = onChange;
  }

  /**
   * The addresses of `host`: remembered ones at once, those older than a minute only if a look-up fails or is not
   * quick.
   */
  async addresses(host: string): Promise<readonly string[]> {
    const fresh = this.fresh(host);
    if (fresh) return fresh;
    const known = this.#known.get(host);
    if (!known) return this.refresh(host);
    const soon = this.soon(host, known.at === -Infinity);
    return this.#clock.now() - known.at <= staleMs ? known.addresses : soon;
  }

  /** The remembered addresses, if they are fresh. */
  fresh(host: string): readonly string[] | undefined {
    const known = this.#known.get(host);
    return known && this.#clock.now() - known.at <= known.freshMs ? known.addresses : undefined;
  }

  /** For how long the remembered addresses stay fresh, in milliseconds; undefined if they are not. */
  freshMs(host: string): number | undefined {
    const known = this.#known.get(host);
    const leftMs = known ? known.at + known.freshMs - this.#clock.now() : -1;
    return leftMs >= 0 ? leftMs : undefined;
  }

  /**
   * {@link addresses}, with a timeout.
   *
   * @throws {GatewayError} `timed-out` after `timeoutMs`; `name-not-resolved`
   */
  within(host: string, timeoutMs: number): Promise<readonly string[]> {
    return new Promise((resolve, reject) => {
      const cancel = startTimeout(this.#clock, timeoutMs, () => {
        reject(new GatewayError("timed-out", `look up ${quote(host)}: no answer within ${timeoutMs} ms`));
      });
      this.addresses(host).then(resolve, reject).finally(cancel);
    });
  }

  /**
   * The answer of a new look-up if it is quick (250 ms), else the remembered addresses. Never rejects.
   *
   * @param fresh see {@link Lookup}
   */
  async soon(host: string, fresh: boolean): Promise<readonly string[]> {
    const remembered = (): readonly string[] => this.#known.get(host)?.addresses ?? [];
    return new Promise(resolve => {
      const cancel = this.#clock.after(quickMs, () => resolve(remembered()));
      const settle = (): void => {
        cancel();
        resolve(remembered());
      };
      this.refresh(host, fresh).then(settle, settle);
    });
  }

  /** Looks up now, or joins the look-up that is under way. */
  refresh(host: string, fresh = false): Promise<readonly string[]> {
    const underWay = this.#underWay.get(host);
    if (underWay) return underWay;
    const lookup = this.#lookUp(host, fresh).finally(() => this.#underWay.delete(host));
    this.#underWay.set(host, lookup);
    return lookup;
  }

  /** The next dial to a name waits for a look-up. The remembered addresses are used if that fails. */
  forget(): void {
    for (const [host, { addresses }] of this.#known)
      this.#known.set(host, { addresses, at: -Infinity, freshMs: 0 });
    this.#onChange();
  }

  /** `address` could be connected to: it goes first from now on. */
  prefer(host: string, address: string): void {
    const known = this.#known.get(host);
    if (!known?.addresses.includes(address) || known.addresses[0] === address) return;
    known.addresses = preferring(address, known.addresses);
    this.#onChange();
  }

  async #lookUp(host: string, fresh: boolean): Promise<readonly string[]> {
    try {
      const { addresses: found, ttlMs = longestFreshMs } = await this.#lookup(host, { fresh });
      const answer = interleaveFamilies(found);
      if (answer.length === 0) throw new GatewayError("name-not-resolved", `${quote(host)} has no address`);
      const [best] = this.#known.get(host)?.addresses ?? [];
      const addresses = preferring(best, answer);
      const freshMs = Math.min(ttlMs, longestFreshMs) * (1 - freshJitter * this.#random());
      this.#remember(host, { addresses, at: this.#clock.now(), freshMs });
      return addresses;
    } catch (error) {
      throw GatewayError.from(error, `look up ${quote(host)}`);
    }
  }

  #remember(host: string, known: Known): void {
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= maxNames && !this.#known.has(host))
      this.#known.delete(oldest);
    const before = this.#known.get(host)?.addresses ?? [];
    this.#known.set(host, known);
    if (before.join() !== known.addresses.join()) this.#onChange();
  }
}

/** `addresses` with `first` in front, if it is one of them. */
function preferring(first: string | undefined, addresses: readonly string[]): readonly string[] {
  if (first === undefined || !addresses.includes(first)) return addresses;
  return [first, ...addresses.filter(address => address !== first)];
}
