import { type Address, type Endpoint, formatAddress, GatewayError, withLocalZone } from "@gw/interface";
import { leadsBack } from "./loop.js";
import type { Resolver } from "./resolver.js";

/** The addresses of one endpoint, one after the other, for one dial. */
export interface Route {
  /**
   * The next address to try, at once where it is known; `undefined` when there are no more, and then `error` says
   * why. A promise of it never rejects.
   */
  next(): Address | undefined | Promise<Address | undefined>;
  /** The address that was told last did not accept. */
  failed(error: GatewayError): void;
  /** The address that was told last accepted: it goes first from now on. */
  accepted(): void;
  /** Why the last address failed, or why there is none. */
  readonly error: GatewayError;
}

/** The route to an endpoint that is an IP literal: itself. */
export class LiteralRoute implements Route {
  readonly #address: Address;
  readonly #listening: readonly Address[];
  #told = false;
  /** Made when it is needed: an error knows where it was made, which costs more than the rest of a route. */
  #error: GatewayError | undefined;

  constructor(address: Address, listening: readonly Address[]) {
    this.#address = address;
    this.#listening = listening;
  }

  next(): Address | undefined {
    if (this.#told) return undefined;
    this.#told = true;
    if (leadsBack(this.#address, this.#listening)) this.#error = selfLoop(this.#address);
    else if (!this.#address.host.includes("%")) return this.#address;
    else return this.#onItsInterface();
    return undefined;
  }

  failed(error: GatewayError): void {
    this.#error = error;
  }

  accepted(): void {}

  #onItsInterface(): Address | undefined {
    try {
      return { host: withLocalZone(this.#address.host), port: this.#address.port };
    } catch (error) {
      this.#error = GatewayError.from(error, "dial");
      return undefined;
    }
  }

  get error(): GatewayError {
    return this.#error ?? new GatewayError("unreachable", "it was not dialled");
  }
}

/** The route to an endpoint that is a name. */
export class NamedRoute implements Route {
  readonly #endpoint: Endpoint;
  readonly #listening: readonly Address[];
  readonly #resolver: Resolver;
  readonly #timeoutMs: number;
  #addresses: readonly string[] | undefined;
  /** How many of the addresses were told. */
  #told = 0;
  #askedAgain = false;
  #error: GatewayError | undefined;

  /** @param timeoutMs how long the name may take to be resolved */
  constructor(endpoint: Endpoint, listening: readonly Address[], resolver: Resolver, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#listening = listening;
    this.#resolver = resolver;
    this.#timeoutMs = timeoutMs;
  }

  next(): Address | undefined | Promise<Address | undefined> {
    this.#addresses ??= this.#resolver.fresh(this.#endpoint.host);
    if (!this.#addresses) return this.#resolve();
    return this.#nextOf(this.#addresses) ?? (this.#askedAgain ? undefined : this.#askAgain(this.#addresses));
  }

  failed(error: GatewayError): void {
    this.#error = error;
  }

  get error(): GatewayError {
    return this.#error ?? new GatewayError("name-not-resolved", `${this.#endpoint.host} has no address`);
  }

  accepted(): void {
    const address = this.#addresses?.[this.#told - 1];
    if (address !== undefined) this.#resolver.prefer(this.#endpoint.host, address);
  }

  #nextOf(addresses: readonly string[]): Address | undefined {
    while (this.#told < addresses.length) {
      const address = { host: addresses[this.#told] as string, port: this.#endpoint.port };
      this.#told += 1;
      if (!leadsBack(address, this.#listening)) return address;
      this.#error = selfLoop(address);
    }
    return undefined;
  }

  async #resolve(): Promise<Address | undefined> {
    try {
      this.#addresses = await this.#resolver.within(this.#endpoint.host, this.#timeoutMs);
    } catch (error) {
      this.#addresses = [];
      this.#askedAgain = true;
      this.#error = GatewayError.from(error, `look up ${this.#endpoint.host}`);
    }
    return this.next();
  }

  /** When no remembered address accepts, what a quick look-up adds to them. */
  async #askAgain(before: readonly string[]): Promise<Address | undefined> {
    this.#askedAgain = true;
    const now = await this.#resolver.soon(this.#endpoint.host, true);
    this.#addresses = now.filter(address => !before.includes(address));
    this.#told = 0;
    return this.#nextOf(this.#addresses);
  }
}

function selfLoop(address: Address): GatewayError {
  return new GatewayError("self-loop", `dial ${formatAddress(address)}: that is this gateway itself`);
}
