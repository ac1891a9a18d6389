import { type Address, type Endpoint, formatAddress, GatewayError, withLocalZone } from "@gw/interface";
import type { Resolver } from "./resolver.js";
import { isSelfDial } from "./self-dial.js";

/** The addresses of one endpoint, best first, for one dial. */
export interface Route {
  /**
   * The next addresses to try beside each other, at once where they are known; `undefined` when there are no more, and
   * then `error` says why. A promise of them never rejects.
   */
  next(): readonly Address[] | undefined | Promise<readonly Address[] | undefined>;
  /** None of the addresses that were told last accepted. */
  failed(error: GatewayError): void;
  /** This address accepted: it goes first from now on. */
  accepted(address: Address): void;
  /** Why the last address failed, or why there is none. */
  readonly error: GatewayError;
}

/** The route to an endpoint that is an IP literal: itself. */
export class LiteralRoute implements Route {
  readonly #address: Address;
  readonly #avoided: readonly Address[];
  #told = false;
  /** Made when it is needed: an error knows where it was made, which costs more than the rest of a route. */
  #error: GatewayError | undefined;

  constructor(address: Address, avoided: readonly Address[]) {
    this.#address = address;
    this.#avoided = avoided;
  }

  next(): readonly Address[] | undefined {
    if (this.#told) return undefined;
    this.#told = true;
    if (isSelfDial(this.#address, this.#avoided)) this.#error = selfLoop(this.#address);
    else if (!this.#address.host.includes("%")) return [this.#address];
    else return this.#onItsInterface();
    return undefined;
  }

  failed(error: GatewayError): void {
    this.#error = error;
  }

  accepted(): void {}

  #onItsInterface(): readonly Address[] | undefined {
    try {
      return [{ host: withLocalZone(this.#address.host), port: this.#address.port }];
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
  readonly #avoided: readonly Address[];
  readonly #resolver: Resolver;
  readonly #timeoutMs: number;
  /** Those that were told already. */
  #told: readonly string[] | undefined;
  #askedAgain = false;
  #error: GatewayError | undefined;

  /** @param timeoutMs how long the name may take to be resolved */
  constructor(endpoint: Endpoint, avoided: readonly Address[], resolver: Resolver, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#avoided = avoided;
    this.#resolver = resolver;
    this.#timeoutMs = timeoutMs;
  }

  next(): readonly Address[] | undefined | Promise<readonly Address[] | undefined> {
    if (this.#told) return this.#askedAgain ? undefined : this.#askAgain(this.#told);
    const known = this.#resolver.fresh(this.#endpoint.host);
    return known ? this.#tell(known) : this.#resolve();
  }

  failed(error: GatewayError): void {
    this.#error = error;
  }

  get error(): GatewayError {
    return this.#error ?? new GatewayError("name-not-resolved", `${this.#endpoint.host} has no address`);
  }

  accepted({ host }: Address): void {
    this.#resolver.prefer(this.#endpoint.host, host);
  }

  #tell(
    addresses: readonly string[],
  ): readonly Address[] | undefined | Promise<readonly Address[] | undefined> {
    this.#told = addresses;
    const usable = addresses
      .map(host => ({ host, port: this.#endpoint.port }))
      .filter(address => {
        if (!isSelfDial(address, this.#avoided)) return true;
        this.#error = selfLoop(address);
        return false;
      });
    return usable.length > 0 ? usable : this.next();
  }

  async #resolve(): Promise<readonly Address[] | undefined> {
    try {
      return this.#tell(await this.#resolver.within(this.#endpoint.host, this.#timeoutMs));
    } catch (error) {
      this.#told = [];
      this.#askedAgain = true;
      this.#error = GatewayError.from(error, `look up ${this.#endpoint.host}`);
      return undefined;
    }
  }

  /** When no remembered address accepts, what a quick look-up adds to them. */
  async #askAgain(before: readonly string[]): Promise<readonly Address[] | undefined> {
    this.#askedAgain = true;
    const now = await this.#resolver.soon(this.#endpoint.host, true);
    return this.#tell(now.filter(address => !before.includes(address)));
  }
}

function selfLoop(address: Address): GatewayError {
  return new GatewayError("self-loop", `dial ${formatAddress(address)}: that is this gateway itself`);
}
