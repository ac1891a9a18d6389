import { lookup } from "node:dns/promises";
import { type Clock, systemClock } from "./clock.js";
import { GatewayError } from "./error.js";
import { quote } from "./quote.js";
import { startTimeout } from "./timeout.js";

/**
 * Look-ups by `getaddrinfo` at a time. Each holds one of the threads (four, or `UV_THREADPOOL_SIZE`) that the process
 * reads files with as well, for as long as name servers are silent; it cannot be given up.
 */
const maxAtOnce = 2;
/** Look-ups that wait for their turn. More are an error at once. */
const maxQueued = 2_000;
/** Names that failed last, which look-ups of other names go before. */
const maxSuspects = 1_000;

/** Options of {@link createGetaddrinfo}. */
export interface GetaddrinfoOptions {
  /** How long a caller waits, in milliseconds, the time in the queue included. @default 10000 */
  readonly timeoutMs?: number | undefined;
  /** How many look-ups may run at a time. @default 2, 1 where the pool has fewer than 3 threads */
  readonly atOnce?: number | undefined;
  /** Asks the system once. @default `lookup` of node:dns/promises */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * The IP addresses of a host as the operating system resolves it, best first.
 *
 * @throws {GatewayError} `name-not-resolved`; `timed-out`, and then the look-up goes on, and serves who asks later;
 *   `out-of-resources` when too many wait
 */
export type Getaddrinfo = (host: string) => Promise<readonly string[]>;

/** A look-up that waits or runs, and those who wait for it. */
interface Job {
  readonly host: string;
  readonly result: Promise<readonly string[]>;
  readonly resolve: (addresses: readonly string[]) => void;
  readonly reject: (error: unknown) => void;
  running: boolean;
  callers: number;
}

/**
 * `getaddrinfo` in a fair queue: names that failed or were slow go last and never take all turns, so that dead names
 * hold back others as little as they can. One look-up serves all who ask for its name.
 */
export function createGetaddrinfo(options: GetaddrinfoOptions = {}): Getaddrinfo {
  const { timeoutMs = 10_000, atOnce = turnsOf(process.env["UV_THREADPOOL_SIZE"]) } = options;
  const { lookup: ask = systemAddresses, clock = systemClock } = options;
  const jobs = new Map<string, Job>();
  const queue = new Set<Job>();
  const suspects = new Set<string>();
  let running = 0;
  let suspectsRunning = 0;

  const suspect = (host: string): void => {
    suspects.delete(host);
    suspects.add(host);
    const [oldest = ""] = suspects;
    if (suspects.size > maxSuspects) suspects.delete(oldest);
  };
  const next = (): Job | undefined => {
    let last: Job | undefined;
    for (const job of queue) {
      if (!suspects.has(job.host)) return job;
      last ??= job;
    }
    return suspectsRunning === 0 || suspectsRunning + 1 < atOnce ? last : undefined;
  };
  const fill = (): void => {
    while (running < atOnce) {
      const job = next();
      if (!job) return;
      queue.delete(job);
      void run(job);
    }
  };
  const run = async (job: Job): Promise<void> => {
    const isSuspect = suspects.has(job.host);
    job.running = true;
    running += 1;
    if (isSuspect) suspectsRunning += 1;
    try {
      const addresses = await ask(job.host);
      suspects.delete(job.host);
      job.resolve(addresses);
    } catch (error) {
      suspect(job.host);
      job.reject(error);
    }
    running -= 1;
    if (isSuspect) suspectsRunning -= 1;
    jobs.delete(job.host);
    fill();
  };
  const begin = (host: string): Job => {
    if (queue.size >= maxQueued)
      throw new GatewayError(
        "out-of-resources",
        `look up ${quote(host)}: ${maxQueued} look-ups wait already`,
      );
    let resolve: Job["resolve"] = () => {};
    let reject: Job["reject"] = () => {};
    const result = new Promise<readonly string[]>((...settle) => {
      [resolve, reject] = settle;
    });
    // All callers may have given up by the time when it fails.
    result.catch(() => {});
    const job = { host, result, resolve, reject, running: false, callers: 0 };
    jobs.set(host, job);
    queue.add(job);
    fill();
    return job;
  };
  const giveUp = (job: Job): void => {
    job.callers -= 1;
    if (job.running) suspect(job.host);
    else if (job.callers === 0) {
      queue.delete(job);
      jobs.delete(job.host);
    }
  };

  return async host => {
    const job = jobs.get(host) ?? begin(host);
    job.callers += 1;
    return new Promise((resolve, reject) => {
      const cancel = startTimeout(clock, timeoutMs, () => {
        giveUp(job);
        reject(new GatewayError("timed-out", `look up ${quote(host)}: no answer within ${timeoutMs} ms`));
      });
      job.result
        .then(resolve, error => reject(GatewayError.from(error, `look up ${quote(host)}`)))
        .finally(cancel);
    });
  };
}

/** The queue that all of the process share. */
export const getaddrinfo: Getaddrinfo = createGetaddrinfo();

async function systemAddresses(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** @param poolSize the environment variable that libuv reads */
function turnsOf(poolSize: string | undefined): number {
  const threads = Number(poolSize ?? 4);
  return threads < maxAtOnce + 1 ? 1 : maxAtOnce;
}
