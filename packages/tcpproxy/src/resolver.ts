import {
  type Clock,
  GatewayError,
  getaddrinfo,
  interleaveFamilies,
  quote,
  startTimeout,
} from "@gw/interface";

/**
 * Resolves a host name to IP addresses, best first, and tells for how long they hold, if it knows. `fresh` asks for what
 * is true now: what was remembered did not do.
 */
export type Lookup = (
  host: string,
  options?: { readonly fresh?: boolean },
) => Promise<{
  readonly addresses: readonly string[];
  readonly ttlMs?: number;
}>;

/**
 * `getaddrinfo`, so that /etc/hosts and the system's resolver configuration hold. It tells no TTL. A few look-ups run at
 * a time, in a queue that all of the process share.
 */
export const systemLookup: Lookup = async host => ({ addresses: await getaddrinfo(host) });

/** For how long an answer is used without asking again, unless its TTL is shorter. */
const longestFreshMs = 10_000;
/** After this time, an answer is better waited for; but not longer than {@link patienceMs}. */
const staleMs = 60_000;
/** How long a dial waits for DNS while it has old addresses to go on with. */
const patienceMs = 250;
/** Names come from the network in some set-ups; the memory of them must not grow for ever. */
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
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<readonly string[]>>();

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /**
   * The addresses of `host`: at once if they are remembered, or nearly so if that was long ago. Old ones when a
   * look-up fails or takes its time.
   */
  async addresses(host: string): Promise<readonly string[]> {
    const fresh = this.fresh(host);
    if (fresh) return fresh;
    const known = this.#known.get(host);
    if (!known) return this.refresh(host);
    const soon = this.soon(host, known.at === -Infinity);
    return this.#clock.now() - known.at <= staleMs ? known.addresses : soon;
  }

  /** What is remembered and fresh, if anything is. */
  fresh(host: string): readonly string[] | undefined {
    const known = this.#known.get(host);
    return known && this.#clock.now() - known.at <= known.freshMs ? known.addresses : undefined;
  }

  /**
   * {@link addresses}, for those who cannot wait for ever.
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
   * What a new look-up says if it is quick, else what is remembered. Never rejects.
   *
   * @param fresh what the look-up itself remembers does not do
   */
  async soon(host: string, fresh: boolean): Promise<readonly string[]> {
    const remembered = (): readonly string[] => this.#known.get(host)?.addresses ?? [];
    return new Promise(resolve => {
      const cancel = this.#clock.after(patienceMs, () => resolve(remembered()));
      const settle = (): void => {
        cancel();
        resolve(remembered());
      };
      this.refresh(host, fresh).then(settle, settle);
    });
  }

  /** Asks now, or joins the look-up that is under way. */
  refresh(host: string, fresh = false): Promise<readonly string[]> {
    const underWay = this.#underWay.get(host);
    if (underWay) return underWay;
    const asked = this.#ask(host, fresh).finally(() => this.#underWay.delete(host));
    this.#underWay.set(host, asked);
    return asked;
  }

  /** The next dial to a name waits for a look-up. What is remembered serves if that fails. */
  forget(): void {
    for (const [host, { addresses }] of this.#known)
      this.#known.set(host, { addresses, at: -Infinity, freshMs: 0 });
  }

  /** `address` could be connected to: it goes first from now on. */
  prefer(host: string, address: string): void {
    const known = this.#known.get(host);
    if (known && known.addresses[0] !== address) known.addresses = preferring(address, known.addresses);
  }

  async #ask(host: string, fresh: boolean): Promise<readonly string[]> {
    try {
      const { addresses: found, ttlMs = longestFreshMs } = await this.#lookup(host, { fresh });
      const answer = interleaveFamilies(found);
      if (answer.length === 0) throw new GatewayError("name-not-resolved", `${quote(host)} has no address`);
      const [best] = this.#known.get(host)?.addresses ?? [];
      const addresses = preferring(best, answer);
      this.#remember(host, { addresses, at: this.#clock.now(), freshMs: Math.min(ttlMs, longestFreshMs) });
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
