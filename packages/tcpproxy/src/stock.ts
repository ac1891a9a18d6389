import type {
  Clock,
  DialStock,
  EarlyPick,
  Endpoint,
  Lease,
  LeaseRequest,
  PlannedDial,
  Pool,
} from "@gw/interface";
import type { Dialer, KnownAddresses } from "./dialer.js";

/** A dial in stock, and the pick of the pool that it is for. */
export interface StockedDial extends PlannedDial {
  readonly pick: EarlyPick;
}

/** Options of {@link Stock}. */
export interface StockOptions {
  /** Of the relay. */
  readonly dials: DialStock;
  readonly pool: Pool;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** How many clients may come now, those included for which there are dials. */
  readonly room: () => number;
  /** Whether clients of `endpoint` may be dialled for unasked. */
  readonly allows: (endpoint: Endpoint) => boolean;
  /** The most dials at one time. */
  readonly most: number;
}

/** As long as few clients come there are so many dials, */
const fewest = 16;
/** and otherwise so many times the clients that came since the last addition, so that the next ones find some. */
const ahead = 4;

/**
 * Keeps a relay in stock of dials, so that clients need not wait for a decision. All are taken back as soon as one of
 * them might be decided in another way now: when the pool says so, a name has other addresses or its addresses get old,
 * or an endpoint may lead back to the gateway. The next client is then decided about when it comes.
 *
 * Picks are used in their order, and only the pool makes them void: a policy that uses its endpoints in turn would leave
 * one out whenever its name has to be looked up, if its pick were dropped then.
 */
export class Stock {
  readonly #options: StockOptions;
  /** Dials in stock, and those of clients that were not reported yet: each takes the place of a connection. */
  #outstanding = 0;
  /** Picks for the clients after those that find dials, the next first: they cannot be dialled for unasked now. */
  readonly #picks: EarlyPick[] = [];
  /** Clients that came with a dial, or without, since dials were last added. */
  #came = 0;
  #target = fewest;
  /** When all are taken back because the addresses of a name get old, on the clock. */
  #expiresAtMs = Infinity;
  #cancelExpiry = (): void => {};
  readonly #stopListening: readonly (() => void)[];
  #closed = false;

  constructor(options: StockOptions) {
    this.#options = options;
    const { pool, dialer } = options;
    this.#stopListening = [
      pool.onPicksVoid?.(() => this.#clear()),
      dialer.onChange(() => this.takeBack()),
    ].filter(stop => stop !== undefined);
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  /** A client was reported that had taken a dial. */
  used(): void {
    this.#outstanding -= 1;
    this.#came += 1;
  }

  /** The oldest dial, for a client that came without one: the picks of a policy are used in their order. */
  take(): StockedDial | undefined {
    this.#came += 1;
    if (this.#outstanding === 0) return undefined;
    const dial = this.#options.dials.take();
    if (dial) this.#outstanding -= 1;
    return dial as StockedDial | undefined;
  }

  /** A lease by the next pick, for a client that came without a dial and found none; undefined if there is no pick. */
  lease(request: LeaseRequest): Lease | undefined {
    return this.#picks.shift()?.lease(request);
  }

  /** Adds dials for the clients that will come next. To be called when no client waits for a decision. */
  add(): void {
    const { dials, pool, dialer, clock, room, allows, most } = this.#options;
    if (this.#closed || !pool.pickAhead) return;
    this.#target = Math.min(most, Math.max(fewest, this.#came * ahead, Math.ceil(this.#target / 2)));
    this.#came = 0;
    const wanted = Math.min(this.#target - this.#outstanding, room() - this.#outstanding);
    // A few at a time would cost as much as many.
    if (wanted < Math.min(this.#target, room()) / 4) return;
    const added: StockedDial[] = [];
    let expiresInMs = Infinity;
    let last: Endpoint | undefined;
    let known: KnownAddresses | undefined;
    while (added.length < wanted) {
      const pick = this.#picks[added.length] ?? pool.pickAhead();
      if (!pick) break;
      this.#picks[added.length] = pick;
      if (pick.endpoint !== last) known = allows(pick.endpoint) ? dialer.known(pick.endpoint) : undefined;
      if (!known) break;
      last = pick.endpoint;
      expiresInMs = Math.min(expiresInMs, known.freshMs);
      added.push({ pick, addresses: known.addresses, timeoutMs: dialer.connectTimeoutMs });
    }
    if (added.length === 0) return;
    const count = dials.add(added);
    this.#picks.splice(0, count);
    this.#outstanding += count;
    const expiresAtMs = clock.now() + expiresInMs;
    if (expiresAtMs >= this.#expiresAtMs) return;
    this.#cancelExpiry();
    this.#expiresAtMs = expiresAtMs;
    this.#cancelExpiry = clock.after(expiresInMs, () => this.takeBack());
  }

  /** Takes all dials back: no client that comes from now on is dialled for before it was decided about. */
  takeBack(): void {
    this.#cancelExpiry();
    this.#expiresAtMs = Infinity;
    if (this.#outstanding === 0) return;
    const dials = this.#options.dials.takeBack() as readonly StockedDial[];
    this.#outstanding -= dials.length;
    this.#picks.unshift(...dials.map(({ pick }) => pick));
  }

  /** Takes all back, and adds no more. */
  close(): void {
    this.#closed = true;
    for (const stop of this.#stopListening) stop();
    this.#clear();
  }

  /** The picks are void. */
  #clear(): void {
    this.takeBack();
    this.#picks.length = 0;
  }
}
