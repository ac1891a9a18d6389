import { connect, type Socket } from "node:net";
import { type Address, type Clock, type Endpoint, type GatewayError, startTimeout } from "@gw/interface";

/** A client of an endpoint that may lead back to this gateway. */
export interface LoopClient {
  /** In order of arrival. */
  readonly id: number;
  /** The loop detector's own: the place of the client among those of its endpoint. */
  loopPlace: number;
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
/** So many windows without a probe must have brought nothing, while as many, and all, with a probe brought a client. */
const quietNeeded = 15;
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

/** How long the first probe, or one that is late, may take to come back, in milliseconds: ordinary clients wait as long. */
const returnLimitMs = 250;
/** A window is this much longer than three times what the first probe took to come back, in milliseconds. */
const marginMs = 30;
/**
 * Windows are at least twice as long after one whose probe came back late, up to this, in milliseconds, or one and a half
 * times as long as that. Fifteen of them without a probe, and as many with one that comes back sooner, fit into
 * {@link holdLimitMs}.
 */
const longestWindowMs = 200;
/**
 * Held clients wait no longer than this, in milliseconds. Those of a loop may, while the machine is busy; for ordinary
 * ones the chance that a check goes on is halved with each window.
 */
const holdLimitMs = 10_000;

/**
 * Checks whether an endpoint leads back to this gateway. Meanwhile clients are held, so that a loop is quiet. A
 * first probe, a connection to the endpoint that sends nothing, measures after how long it comes back as a client.
 * Then there are windows of time in random order, half of them with a probe. In a loop each window with a probe brings
 * a client, and those without bring none but new clients. Ordinary clients do not depend on the order: that
 * fifteen windows are quiet and all of them without a probe has a chance of less than 1 in 20,000, however they arrive.
 *
 * A window ends early when it has brought a client from each suspected host, whether it has a probe or not. On a busy
 * machine a probe may come back later than the first one did. So a window with a probe that brings nothing does not end
 * the check yet: if the probe comes back late, all begins again with windows of at least twice the length, three times at
 * most.
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
  /** Windows with a probe so far, all of which brought a client. */
  #probed = 0;
  /** Ends the window that is under way. */
  #endWindow: (() => void) | undefined;
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
    this.#hosts = suspectsOf(options.hosts);
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
    if (this.#endWindow && this.#haveAllArrived) this.#wait(0, this.#endWindow);
  }

  hold(client: LoopClient, endpoint: Endpoint): void {
    this.held.set(client, endpoint);
  }

  leave(client: LoopClient): void {
    this.held.delete(client);
  }

  /** Measures how long a probe takes to come back. */
  #measure(): void {
    this.#awaitReturn(this.#options.clock.now());
    this.#connect(() => {});
  }

  /** Waits for a probe that was started at `sinceMs`, and begins the windows; ends the check if it does not come back. */
  #awaitReturn(sinceMs: number): void {
    const { clock, hosts } = this.#options;
    this.#wait(returnLimitMs, () => this.#end("none"));
    this.#onArrival = () => {
      this.#onArrival = undefined;
      const wantedMs = Math.max(2 * this.#windowMs, marginMs + 3 * (clock.now() - sinceMs));
      this.#windowMs = Math.min(wantedMs, longestWindowMs);
      this.#hosts = suspectsOf(hosts);
      this.#probed = 0;
      this.#windows = [];
      // This window only measures: clients that arrive in it are not counted.
      this.#wait(this.#randomWindowMs(), () => {
        this.#endProbe();
        this.#next();
      });
    };
  }

  get #haveAllArrived(): boolean {
    return this.#hosts.every(({ host }) => this.#arrivals.has(host));
  }

  #next(): void {
    if (this.#probed >= quietNeeded && this.#hosts.some(({ quiet }) => quiet >= quietNeeded)) {
      this.#end("loop");
      return;
    }
    if (this.#windows.length === 0) this.#windows = randomBlock(this.#options.random);
    const withProbe = this.#windows.pop() === true;
    const sinceMs = this.#options.clock.now();
    const endWindow = (): void => this.#evaluate(withProbe, sinceMs);
    this.#arrivals.clear();
    this.#endWindow = endWindow;
    this.#wait(withProbe ? returnLimitMs : this.#randomWindowMs(), endWindow);
    if (withProbe)
      this.#connect(() => {
        if (this.#endWindow === endWindow && !this.#haveAllArrived)
          this.#wait(this.#randomWindowMs(), endWindow);
      });
  }

  #evaluate(withProbe: boolean, sinceMs: number): void {
    this.#endWindow = undefined;
    const cameBack = this.#hosts.some(({ host }) => this.#arrivals.has(host));
    if (withProbe && !cameBack && this.#windowMs < longestWindowMs) {
      this.#awaitReturn(sinceMs);
      return;
    }
    this.#endProbe();
    if (withProbe) this.#probed += 1;
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
    this.#endWindow = undefined;
    this.#endProbe();
    this.#onEnd(outcome);
  }
}

function suspectsOf(hosts: readonly string[]): readonly Suspect[] {
  return hosts.map(host => ({ host, quiet: 0, loud: 0 }));
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
