import { type Address, type Clock, type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { Bag } from "./bag.js";
import { type Hold, LoopCheck, type LoopClient, type Outcome } from "./loop-check.js";

/** What {@link LoopDetector} needs. */
export interface LoopDetectorOptions {
  /** The proxy's limit. */
  readonly maxConnections: number;
  readonly clock: Clock;
  /** An endpoint to which clients of `endpoint` can go instead. */
  readonly another: (endpoint: Endpoint) => Endpoint | undefined;
  /** Called when a check begins: clients must not be dialled for unasked any more. */
  readonly onCheck: () => void;
  /** As Math.random. Several gateways in a loop must not act at the same time. */
  readonly random: () => number;
}

/** What is known of one endpoint. */
interface EndpointState {
  /** Its clients: all that are silent, and those that no longer are but have not been removed yet. */
  readonly clients: Bag<"loopPlace", LoopClient>;
  /** At how many silent clients a check begins. */
  threshold: number;
  /** At how many clients the silent ones are counted again. */
  recountAt: number;
  /** When a threshold that was raised is lowered again, on the clock. */
  lowerAtMs: number;
  /** A loop was found, and left to another gateway to break. */
  yielded: boolean;
  /** Until when the endpoint is known to lead back to this gateway, on the clock. */
  loopUntilMs: number;
  check: LoopCheck | undefined;
}

/** A check begins at a random number of silent clients between these. */
const [fewestSilent, mostSilent] = [16, 48];
/**
 * A gateway that has no other endpoint lets a loop grow to a random number of silent clients between these. Another
 * gateway in the loop may have one, and finds the loop before that, also where its first check failed.
 */
const [fewestYielded, mostYielded] = [72, 88];
/** After a check that found no loop the threshold is multiplied by a random number between these. */
const [leastGrowth, mostGrowth] = [1.5, 2.5];
/** A threshold that was raised is kept for this long, in milliseconds. */
const raisedForMs = 20_000;
/** An endpoint that leads back is not dialled for this long, in milliseconds. Then a loop has to be found again. */
const loopKnownForMs = 5_000;

/**
 * Finds endpoints that lead back to this gateway through other gateways. In such a loop each client comes back as
 * another client, without end, and none of them ever gets a byte. So when many clients of one endpoint are silent,
 * the next ones are held, which also holds up a loop, and a {@link LoopCheck} finds out.
 */
export class LoopDetector {
  readonly #options: LoopDetectorOptions;
  readonly #states = new WeakMap<Endpoint, EndpointState>();
  readonly #checks = new Set<LoopCheck>();
  #stopped = false;

  constructor(options: LoopDetectorOptions) {
    this.#options = options;
  }

  /** A client was accepted. */
  accepted(client: LoopClient): void {
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
    if (!hold) state.clients.add(client);
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
    state.clients.add(client);
    return undefined;
  }

  /** `client` has left `endpoint`, for which it was admitted or held. */
  left(client: LoopClient, endpoint: Endpoint): void {
    this.#states.get(endpoint)?.clients.delete(client);
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
    if (nowMs >= state.lowerAtMs) this.#lower(state);
    if (state.clients.size < state.recountAt) return undefined;
    const silent = countSilent(state);
    const hosts = silent < state.threshold ? [] : frequentHosts(state.clients);
    if (hosts.length === 0) {
      // Not at once again, or each client would cost a count.
      state.recountAt = Math.max(state.threshold, silent + Math.ceil(state.threshold / 4));
      return undefined;
    }
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
    if (outcome === "loop" && !state.yielded && !this.#hasAnother(endpoint, nowMs)) {
      state.yielded = true;
      state.threshold = this.#thresholdBetween(fewestYielded, mostYielded, 2);
      state.recountAt = state.threshold;
      state.lowerAtMs = nowMs + raisedForMs;
      for (const client of held.keys()) client.resume();
      return;
    }
    if (outcome === "loop") {
      const error = loopError(address);
      state.loopUntilMs = nowMs + loopKnownForMs;
      this.#reset(state);
      // The first call can make the pool revoke others; they leave, and are not visited.
      for (const client of state.clients) if (client.isSilent) client.onRevoked(error);
      for (const [client, of] of held) if (of === endpoint) client.onRevoked(error);
      for (const [client, of] of held) if (of !== endpoint) client.resume();
      return;
    }
    const growth = leastGrowth + this.#options.random() * (mostGrowth - leastGrowth);
    state.threshold = Math.ceil((countSilent(state) + held.size) * growth);
    state.recountAt = state.threshold;
    state.lowerAtMs = nowMs + raisedForMs;
    for (const client of held.keys()) client.resume();
  }

  #hasAnother(endpoint: Endpoint, nowMs: number): boolean {
    const other = this.#options.another(endpoint);
    return other !== undefined && !((this.#states.get(other)?.loopUntilMs ?? -Infinity) > nowMs);
  }

  #lower(state: EndpointState): void {
    const raised = state.threshold;
    this.#reset(state);
    const threshold = Math.min(raised, Math.max(state.threshold, countSilent(state) * leastGrowth));
    if (threshold > state.threshold) state.lowerAtMs = this.#options.clock.now() + raisedForMs;
    state.threshold = threshold;
    state.recountAt = threshold;
  }

  #reset(state: EndpointState): void {
    state.threshold = this.#firstThreshold();
    state.recountAt = state.threshold;
    state.lowerAtMs = Infinity;
    state.yielded = false;
  }

  #create(endpoint: Endpoint): EndpointState {
    const threshold = this.#firstThreshold();
    const state: EndpointState = {
      clients: new Bag("loopPlace"),
      threshold,
      recountAt: threshold,
      lowerAtMs: Infinity,
      yielded: false,
      loopUntilMs: -Infinity,
      check: undefined,
    };
    this.#states.set(endpoint, state);
    return state;
  }

  #firstThreshold(): number {
    return this.#thresholdBetween(fewestSilent, mostSilent, 4);
  }

  /** A random number from `fewest` to `most`, and no more than one connection in `share`. */
  #thresholdBetween(fewest: number, most: number, share: number): number {
    const { maxConnections, random } = this.#options;
    const wanted = fewest + Math.floor(random() * (most - fewest + 1));
    return Math.max(2, Math.min(wanted, Math.floor(maxConnections / share)));
  }
}

/** Removes the clients that are no longer silent; returns how many are left. */
function countSilent({ clients }: EndpointState): number {
  for (const client of clients) if (!client.isSilent) clients.delete(client);
  return clients.size;
}

/** The hosts from which at least a quarter of `clients` come: at most four. A loop has few last gateways. */
function frequentHosts(clients: EndpointState["clients"]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { host } of clients) counts.set(host, (counts.get(host) ?? 0) + 1);
  return [...counts].filter(([, count]) => count * 4 >= clients.size).map(([host]) => host);
}

function loopError(address: Address): GatewayError {
  return new GatewayError(
    "self-loop",
    `dial ${formatAddress(address)}: that leads back to this gateway through another`,
  );
}
