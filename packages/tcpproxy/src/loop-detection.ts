import { type Address, type Clock, type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { type Hold, LoopCheck, type LoopClient, type Outcome } from "./loop-check.js";
import { SilentClients, type SilentClientsOptions } from "./silent-clients.js";

/** What {@link LoopDetector} needs. */
export interface LoopDetectorOptions extends SilentClientsOptions {
  readonly clock: Clock;
  /** An endpoint to which clients of `endpoint` can go instead. */
  readonly another: (endpoint: Endpoint) => Endpoint | undefined;
  /** Called when a check begins: clients must not be dialled for unasked any more. */
  readonly onCheck: () => void;
}

/** What is known of one endpoint. */
interface EndpointState {
  readonly silent: SilentClients;
  /** Until when the endpoint is known to lead back to this gateway, on the clock. */
  loopUntilMs: number;
  check: LoopCheck | undefined;
}

/** An endpoint that leads back is not dialled for this long, in milliseconds. Then a loop has to be found again. */
const loopKnownForMs = 5_000;

/**
 * Finds endpoints that lead back to this gateway through other gateways. In such a loop each client comes back as
 * another client, without end, and none of them ever gets a byte. So when many clients of one endpoint stay silent,
 * the next ones are held, which also holds up a loop, and a {@link LoopCheck} finds out.
 */
export class LoopDetector {
  readonly #options: LoopDetectorOptions;
  readonly #states = new WeakMap<Endpoint, EndpointState>();
  readonly #checks = new Set<LoopCheck>();
  /** The client that was accepted last. */
  #lastId = -Infinity;
  #stopped = false;

  constructor(options: LoopDetectorOptions) {
    this.#options = options;
  }

  /** A client was accepted. */
  accepted(client: LoopClient): void {
    this.#lastId = client.id;
    if (this.#checks.size === 0) return;
    const { host } = client;
    for (const check of this.#checks) check.arrived(host);
  }

  /**
   * Decides whether `client` may be dialled for.
   *
   * @param addresses of `endpoint`, at least one, that which accepted last first
   * @param nowMs the time, or when the client was accepted
   * @returns `undefined` if it may; a {@link Hold} if it has to wait for `resume` or `onRevoked`, neither of which is
   *   called from within; an error if the endpoint leads back to this gateway
   */
  admit(
    client: LoopClient,
    endpoint: Endpoint,
    [address]: readonly Address[],
    nowMs: number,
  ): undefined | Hold | GatewayError {
    if (this.#stopped || !address) return undefined;
    const state = this.#states.get(endpoint) ?? this.#create(endpoint);
    if (state.loopUntilMs > nowMs) return loopError(address);
    const hold =
      state.check ?? this.#checkThatSuspects(client) ?? this.#checkIfDue(state, endpoint, address, nowMs);
    hold?.hold(client, endpoint);
    if (!hold) state.silent.add(client);
    return hold;
  }

  /** Whether clients may be dialled for before they are asked about by {@link admit}. */
  allows(endpoint: Endpoint): boolean {
    if (this.#stopped || this.#checks.size > 0) return false;
    const loopUntilMs = this.#states.get(endpoint)?.loopUntilMs ?? -Infinity;
    return loopUntilMs === -Infinity || loopUntilMs <= this.#options.clock.now();
  }

  /**
   * `client` was dialled for unasked. Otherwise as {@link admit}: it counts, and may make a check begin, but is not held.
   *
   * @returns an error if the endpoint leads back to this gateway
   */
  dialled(
    client: LoopClient,
    endpoint: Endpoint,
    [address]: readonly Address[],
    nowMs: number,
  ): GatewayError | undefined {
    if (this.#stopped || !address) return undefined;
    const state = this.#states.get(endpoint) ?? this.#create(endpoint);
    if (state.loopUntilMs > nowMs) return loopError(address);
    if (!state.check) this.#checkIfDue(state, endpoint, address, nowMs);
    state.silent.add(client);
    return undefined;
  }

  /** `client` has left `endpoint`, for which it was admitted or held. */
  left(client: LoopClient, endpoint: Endpoint): void {
    this.#states.get(endpoint)?.silent.delete(client);
  }

  /** Ends all checks; no client is held from now on. */
  stop(): void {
    this.#stopped = true;
    for (const check of [...this.#checks]) check.stop();
  }

  /** A client that may have come through a loop must not go to another endpoint during a check, and come back from there. */
  #checkThatSuspects(client: LoopClient): LoopCheck | undefined {
    if (this.#checks.size === 0) return undefined;
    const { host } = client;
    for (const check of this.#checks) if (check.suspects(host)) return check;
    return undefined;
  }

  #checkIfDue(
    state: EndpointState,
    endpoint: Endpoint,
    address: Address,
    nowMs: number,
  ): LoopCheck | undefined {
    const hosts = state.silent.suspects(this.#lastId, nowMs);
    if (hosts.length === 0) return undefined;
    return this.#startCheck(state, endpoint, address, hosts);
  }

  #startCheck(
    state: EndpointState,
    endpoint: Endpoint,
    address: Address,
    hosts: readonly string[],
  ): LoopCheck {
    const { clock, random } = this.#options;
    const check = new LoopCheck({ address, hosts, clock, random }, outcome => {
      state.check = undefined;
      this.#checks.delete(check);
      this.#finish(state, endpoint, address, check, outcome);
    });
    state.check = check;
    this.#checks.add(check);
    this.#options.onCheck();
    check.start();
    return check;
  }

  #finish(
    state: EndpointState,
    endpoint: Endpoint,
    address: Address,
    check: LoopCheck,
    outcome: Outcome,
  ): void {
    const { held } = check;
    const nowMs = this.#options.clock.now();
    if (outcome === "loop" && !state.silent.isYielded && !this.#hasAnother(endpoint, nowMs)) {
      state.silent.yield(nowMs);
      for (const client of held.keys()) client.resume();
      return;
    }
    if (outcome === "loop") {
      const error = loopError(address);
      state.loopUntilMs = nowMs + loopKnownForMs;
      state.silent.reset();
      // The first call can make the pool revoke others; they leave, and are not visited.
      for (const client of state.silent) client.onRevoked(error);
      for (const [client, of] of held) if (of === endpoint) client.onRevoked(error);
      for (const [client, of] of held) if (of !== endpoint) client.resume();
      return;
    }
    state.silent.raise(held.size, nowMs);
    for (const client of held.keys()) client.resume();
  }

  #hasAnother(endpoint: Endpoint, nowMs: number): boolean {
    const other = this.#options.another(endpoint);
    return other !== undefined && !((this.#states.get(other)?.loopUntilMs ?? -Infinity) > nowMs);
  }

  #create(endpoint: Endpoint): EndpointState {
    const state: EndpointState = {
      silent: new SilentClients(this.#options),
      loopUntilMs: -Infinity,
      check: undefined,
    };
    this.#states.set(endpoint, state);
    return state;
  }
}

function loopError(address: Address): GatewayError {
  return new GatewayError(
    "self-loop",
    `dial ${formatAddress(address)}: that leads back to this gateway through another`,
  );
}
