import { GatewayError } from "@gw/interface";
import type { Member } from "./cluster.js";
import { wait } from "./wait.js";

/** What {@link causeOutages} works on. */
export interface OutageOptions {
  readonly members: readonly Member[];
  /** The member that clients are sent to now, if that is known. */
  readonly inUse: () => Member | undefined;
  /** From one outage to the next, in milliseconds; for half of it the member is away. */
  readonly everyMs: number;
  /** Tells people, in a line. */
  readonly say: (line: string) => void;
}

/**
 * Stops the member in use, starts it again, and so on, until `signal` is aborted. Never is one stopped while
 * another is away, for whatever reason: the others must stay a majority.
 */
export async function causeOutages(options: OutageOptions, signal: AbortSignal): Promise<void> {
  const { members, inUse, everyMs, say } = options;
  await wait(everyMs / 2, signal);
  while (await wait(everyMs / 2, signal)) {
    const away = members.filter(member => !member.running);
    const member = inUse();
    if (away.length > 0) {
      await Promise.all(away.map(one => startAgain(one, say, signal)));
    } else if (member) {
      // Said before it is done: what follows from it comes at once.
      say(`stopping ${member.name}, which is in use`);
      await member.stop();
    }
  }
}

async function startAgain(member: Member, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  try {
    await member.start(signal);
    say(`${member.name} is back`);
  } catch (error) {
    if (!signal.aborted) say(`${GatewayError.from(error, member.name).detail}; trying again`);
  }
}
