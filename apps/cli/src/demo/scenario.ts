import { type Address, GatewayError, type Observer, sameEndpoint, sleep, systemClock } from "@gw/interface";
import type { Member } from "./cluster.js";
import { httpGet } from "./http-get.js";

/** How long a response may take, in milliseconds. */
const responseTimeoutMs = 5_000;

/** Prints one line for the user. */
export type Print = (line: string) => void;

/** The member to which a gateway sends its clients. */
export interface MemberInUse {
  /** The member that the newest connection went to; undefined before the first. */
  readonly member: Member | undefined;
  /** To be given to the gateway. It calls the observer passed to {@link watchMemberInUse}, too. */
  readonly observer: Observer;
}

/** Prints when the gateway's clients go to another member. */
export function watchMemberInUse(members: readonly Member[], observer: Observer, print: Print): MemberInUse {
  let member: Member | undefined;
  return {
    get member() {
      return member;
    },
    observer: {
      ...observer,
      connected(event) {
        observer.connected?.(event);
        const before = member;
        member = members.find(({ address }) => sameEndpoint(address, event.endpoint));
        if (member && member !== before) print(`requests ${before ? "now " : ""}go to ${member.name}`);
      },
    },
  };
}

/**
 * Sends a small request through the gateway at `address` each `intervalMs`, each on a new connection, until
 * `signal` is aborted. Prints when requests start to fail and when they are answered again.
 */
export async function sendRequests(
  address: Address,
  intervalMs: number,
  print: Print,
  signal: AbortSignal,
): Promise<void> {
  let failing = false;
  while (!signal.aborted) {
    const error = await request(address, signal);
    if (signal.aborted) return;
    if (error !== undefined && !failing) print(`a request got no answer: ${error}`);
    if (error === undefined && failing) print("requests are answered again");
    failing = error !== undefined;
    await sleep(intervalMs, systemClock, signal);
  }
}

/** Resolves with why the request failed, if it did. */
async function request(address: Address, signal: AbortSignal): Promise<string | undefined> {
  try {
    await httpGet(address, "/version", { timeoutMs: responseTimeoutMs, signal });
    return undefined;
  } catch (error) {
    return GatewayError.from(error, "get /version").detail;
  }
}

/** Options of {@link causeOutages}. */
export interface OutageOptions {
  readonly members: readonly Member[];
  /** The member that clients are sent to now, if that is known. */
  readonly inUse: () => Member | undefined;
  /** From one outage to the next, in milliseconds; the member is stopped for half of it. */
  readonly everyMs: number;
  readonly print: Print;
}

/**
 * Stops the member in use, starts it again, and so on, until `signal` is aborted. Stops no member while another is
 * stopped, for whatever reason: the others must stay a majority.
 */
export async function causeOutages(options: OutageOptions, signal: AbortSignal): Promise<void> {
  const { members, inUse, everyMs, print } = options;
  await sleep(everyMs / 2, systemClock, signal);
  while (true) {
    await sleep(everyMs / 2, systemClock, signal);
    if (signal.aborted) return;
    const stopped = members.filter(member => !member.running);
    const member = inUse();
    if (stopped.length > 0) {
      await Promise.all(stopped.map(one => restart(one, print, signal)));
    } else if (member) {
      // Printed first: the gateway logs the consequences at once.
      print(`stopping ${member.name}, which is in use`);
      await member.stop();
    }
  }
}

async function restart(member: Member, print: Print, signal: AbortSignal): Promise<void> {
  try {
    await member.start(signal);
    print(`${member.name} is back`);
  } catch (error) {
    if (!signal.aborted) print(`${GatewayError.from(error, member.name).detail}; trying again`);
  }
}
