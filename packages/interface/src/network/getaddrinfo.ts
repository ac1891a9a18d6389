import { lookup } from "node:dns/promises";
import { GatewayError } from "../error.js";
import { quote } from "../quote.js";
import { type Clock, systemClock } from "../time/clock.js";
import { startTimeout } from "../time/timeout.js";

/**
 * How many look-ups run at the same time. Each occupies one of the threads (four, or `UV_THREADPOOL_SIZE`) that also read
 * files, as long as name servers are silent; it cannot be aborted.
 */
const maxConcurrency = 2;
/** How many more look-ups may wait; others are rejected at once. */
const maxQueued = 2_000;
/** How many names are remembered that failed last; other names are looked up before them. */
const maxSuspects = 1_000;

/** Options of {@link createGetaddrinfo}. */
export interface GetaddrinfoOptions {
  /** The timeout in milliseconds, including the time in the queue. @default 10000 */
  readonly timeoutMs?: number | undefined;
  /** How many look-ups may run at the same time. @default 2; 1 if the thread pool has fewer than 3 threads */
  readonly concurrency?: number | undefined;
  /** Looks a name up once. @default `lookup` of node:dns/promises */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * The IP addresses of a host as the operating system resolves it, best first.
 *
 * @throws {GatewayError} `name-not-resolved`; `timed-out`; the look-up then goes on, and later callers share its
 *   result; `out-of-resources` when too many wait
 */
export type Getaddrinfo = (host: string) => Promise<readonly string[]>;

/** A look-up that waits or runs, for one or more callers. */
interface Job {
  readonly host: string;
  readonly result: Promise<readonly string[]>;
  readonly resolve: (addresses: readonly string[]) => void;
  readonly reject: (error: unknown) => void;
  running: boolean;
  callers: number;
}

/**
 * `getaddrinfo` with a fair queue: names that failed or were slow come last and never occupy all threads, so that dead
 * names delay others as little as possible. All callers with the same name share one look-up.
 */
export function createGetaddrinfo(options: GetaddrinfoOptions = {}): Getaddrinfo {
  const { timeoutMs = 10_000, concurrency = concurrencyOf(process.env["UV_THREADPOOL_SIZE"]) } = options;
  const { lookup: lookUp = systemAddresses, clock = systemClock } = options;
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
    return suspectsRunning === 0 || suspectsRunning + 1 < concurrency ? last : undefined;
  };
  const fill = (): void => {
    while (running < concurrency) {
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
      const addresses = await lookUp(job.host);
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
  const enqueue = (host: string): Job => {
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
    // All callers may have given up before it fails.
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
    const job = jobs.get(host) ?? enqueue(host);
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

/** With one queue for the whole process. */
export const getaddrinfo: Getaddrinfo = createGetaddrinfo();

async function systemAddresses(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** @param poolSize the environment variable that libuv reads */
function concurrencyOf(poolSize: string | undefined): number {
  const threads = Number(poolSize ?? 4);
  return threads < maxConcurrency + 1 ? 1 : maxConcurrency;
}
