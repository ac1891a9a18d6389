import { connect, type Socket } from "node:net";
import { type Address, type Clock, type Endpoint, type GatewayError, startTimeout } from "@gw/interface";

/** A client of an endpoint that may lead back to this gateway. */
export interface LoopClient {
  /** The client's IP address. */
  readonly host: string;
  /** Whether it is connected, or being dialled for, and has had no byte from its endpoint. */
  readonly isSilent: boolean;
  /** A held client may be dialled for. */
  resume(): void;
  /** Its endpoint leads back to this gateway: the connection, or the dial, is given up. */
  onRevoked(error: GatewayError): void;
}

/** Where a client is held; see `LoopDetector.admit`. */
export interface Hold {
  /** The client needs no answer any more. */
  leave(client: LoopClient): void;
}

/** What a check found. `none` also where it could not find out. */
export type Outcome = "loop" | "none";

/** Options of {@link LoopCheck}. */
export interface LoopCheckOptions {
  /** Where the clients of the endpoint were connected to. */
  readonly address: Address;
  /** The hosts of clients that may have come through the loop; clients of others are not counted. */
  readonly hosts: readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
}

/** Windows come in blocks, each with so many that have a probe and so many that have none, in random order. */
const windowsOfEach = 5;
/** So many windows without a probe must have brought nothing, while each window with a probe brought a client. */
const quietNeeded = 10;
/** A host is busy, and no loop, when so many more windows without a probe brought clients than brought none. */
const busyAt = 4;

/** A host of clients that may have come through a loop. */
interface Suspect {
  readonly host: string;
  /** Windows without a probe in which no client came. */
  quiet: number;
  /** Windows without a probe in which clients came. */
  loud: number;
}

/** How long the first probe may take to connect and to come back, in milliseconds: ordinary clients wait as long. */
const returnLimitMs = 250;
/** A window is this much longer than three times what the first probe took to come back, in milliseconds. */
const marginMs = 30;
/** A window is up to one and a half times as long as this, in milliseconds, so that most checks end in time. */
const longestWindowMs = 200;
/** Held clients wait no longer than this, in milliseconds. */
const holdLimitMs = 5_000;

/**
 * Checks whether an endpoint leads back to this gateway. Meanwhile clients are held, so that a loop is quiet. A
 * first probe, a connection to the endpoint that sends nothing, measures after how long it comes back as a client.
 * Then there are windows of time in random order, half of them with a probe. In a loop each window with a probe brings
 * a client, and those without bring none but new clients. Ordinary clients do not depend on the order: that
 * all of ten quiet windows are without a probe has a chance of 1 in 60,000, however they arrive.
 */
export class LoopCheck implements Hold {
  readonly #options: LoopCheckOptions;
  readonly #onEnd: (outcome: Outcome) => void;
  /** In order of arrival, with the endpoint that each is to be connected to. Those that leave are removed. */
  readonly held: Map<LoopClient, Endpoint> = new Map();
  /** The hosts from which clients came in this window. */
  readonly #arrivals = new Set<string>();
  /** Hosts that have not been ruled out. */
  #hosts: readonly Suspect[];
  /** Whether there is a probe, for each window to come in this block. */
  #windows: boolean[] = [];
  #windowMs = 0;
  #probe: Socket | undefined;
  #onArrival: (() => void) | undefined;
  #cancelWait = (): void => {};
  #cancelLimit = (): void => {};
  #ended = false;

  /** @param onEnd called once, never from within `start`; the held clients are to be released */
  constructor(options: LoopCheckOptions, onEnd: (outcome: Outcome) => void) {
    this.#options = options;
    this.#onEnd = onEnd;
    this.#hosts = options.hosts.map(host => ({ host, quiet: 0, loud: 0 }));
  }

  start(): void {
    this.#cancelLimit = startTimeout(this.#options.clock, holdLimitMs, () => this.#end("none"));
    this.#measure();
  }

  stop(): void {
    this.#end("none");
  }

  suspects(host: string): boolean {
    return this.#hosts.some(suspect => suspect.host === host);
  }

  arrived(host: string): void {
    if (!this.suspects(host)) return;
    this.#arrivals.add(host);
    this.#onArrival?.();
  }

  hold(client: LoopClient, endpoint: Endpoint): void {
    this.held.set(client, endpoint);
  }

  leave(client: LoopClient): void {
    this.held.delete(client);
  }

  /** How long a probe takes to come back; ends the check if none does. */
  #measure(): void {
    const { clock } = this.#options;
    const sinceMs = clock.now();
    this.#wait(returnLimitMs, () => this.#end("none"));
    this.#onArrival = () => {
      this.#onArrival = undefined;
      this.#windowMs = Math.min(marginMs + 3 * (clock.now() - sinceMs), longestWindowMs);
      // This window only measures: clients that arrive in it are not counted.
      this.#wait(this.#randomWindowMs(), () => this.#next());
    };
    this.#connect(() => {});
  }

  #next(): void {
    this.#endProbe();
    this.#arrivals.clear();
    if (this.#windows.length === 0) {
      if (this.#hosts.some(({ quiet }) => quiet >= quietNeeded)) {
        this.#end("loop");
        return;
      }
      this.#windows = randomBlock(this.#options.random);
    }
    if (this.#windows.pop()) {
      this.#wait(returnLimitMs, () => this.#end("none"));
      this.#connect(() => this.#wait(this.#randomWindowMs(), () => this.#evaluate(true)));
    } else {
      this.#wait(this.#randomWindowMs(), () => this.#evaluate(false));
    }
  }

  #evaluate(withProbe: boolean): void {
    this.#hosts = this.#hosts.filter(suspect => {
      const isQuiet = !this.#arrivals.has(suspect.host);
      if (withProbe) return !isQuiet;
      if (isQuiet) suspect.quiet += 1;
      else suspect.loud += 1;
      return suspect.loud - suspect.quiet < busyAt;
    });
    if (this.#hosts.length === 0) this.#end("none");
    else this.#next();
  }

  #randomWindowMs(): number {
    return this.#windowMs * (1 + this.#options.random() / 2);
  }

  #connect(onConnect: () => void): void {
    const { host, port } = this.#options.address;
    const probe = connect({ host, port });
    this.#probe = probe;
    probe.unref();
    const onNoLoop = (): void => {
      if (probe === this.#probe) this.#end("none");
    };
    // A loop neither answers nor ends while its clients are held.
    probe.once("connect", onConnect).once("data", onNoLoop);
    probe.on("error", onNoLoop).once("close", onNoLoop);
  }

  #endProbe(): void {
    const probe = this.#probe;
    this.#probe = undefined;
    probe?.resetAndDestroy();
  }

  #wait(ms: number, then: () => void): void {
    this.#cancelWait();
    this.#cancelWait = startTimeout(this.#options.clock, ms, then);
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelWait();
    this.#cancelLimit();
    this.#onArrival = undefined;
    this.#endProbe();
    this.#onEnd(outcome);
  }
}

/** For each window of a block whether it has a probe; shuffled as by Fisher and Yates. */
function randomBlock(random: () => number): boolean[] {
  const windows = Array.from({ length: 2 * windowsOfEach }, (_, index) => index < windowsOfEach);
  for (let last = windows.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [windows[last], windows[other]] = [windows[other] as boolean, windows[last] as boolean];
  }
  return windows;
}
