import { type Clock, GatewayError } from "@gw/interface";

/** Options of {@link createTimeSlices}. */
export interface TimeSlicesOptions {
  /** How many tasks run at the same time. */
  readonly concurrency: number;
  /** How many more tasks may wait; others are rejected. */
  readonly maxWaiting: number;
  /** The first slice, in milliseconds; each further one is twice as long. */
  readonly sliceMs: number;
  readonly clock: Clock;
}

/** One task, which may need several slices. */
interface Task {
  readonly run: (signal: AbortSignal) => Promise<void>;
  sliceMs: number;
  startedAt: number;
  abort: AbortController;
}

/**
 * Runs tasks that can be aborted and repeated, a few at a time. While others wait, a task that has used up its time slice
 * is aborted and waits for another, twice as long: so a task that hangs delays others by no more than a slice.
 *
 * A task must reject when its signal is aborted. Its result is that of its last slice.
 */
export function createTimeSlices({
  concurrency,
  maxWaiting,
  sliceMs,
  clock,
}: TimeSlicesOptions): <T>(task: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) => Promise<T> {
  const running = new Set<Task>();
  /** Those with the shortest slice first, then in the order of their arrival. */
  const waiting: Task[] = [];
  let cancelTimer = (): void => {};

  const enqueue = (task: Task): void => {
    const index = waiting.findIndex(other => other.sliceMs > task.sliceMs);
    waiting.splice(index < 0 ? waiting.length : index, 0, task);
  };
  const start = (task: Task): void => {
    task.startedAt = clock.now();
    task.abort = new AbortController();
    running.add(task);
    void task.run(task.abort.signal).then(() => {
      running.delete(task);
      schedule();
    });
  };
  /** Starts tasks, and aborts one that has used up its slice, now or when that will be. */
  const schedule = (): void => {
    cancelTimer();
    cancelTimer = () => {};
    while (running.size < concurrency) {
      const task = waiting.shift();
      if (!task) return;
      start(task);
    }
    const [next] = waiting;
    if (!next) return;
    const endOf = (task: Task): number => task.startedAt + Math.min(task.sliceMs, next.sliceMs);
    const first = [...running].reduce((one, other) => (endOf(other) < endOf(one) ? other : one));
    const waitMs = endOf(first) - clock.now();
    if (waitMs > 0) cancelTimer = clock.after(waitMs, schedule);
    else if (!first.abort.signal.aborted) first.abort.abort(sliceEnded);
  };

  return (run, signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (waiting.length >= maxWaiting)
        return reject(new GatewayError("out-of-resources", `${maxWaiting} look-ups wait already`));
      const task: Task = {
        sliceMs,
        startedAt: 0,
        abort: new AbortController(),
        run: async sliceSignal => {
          try {
            resolve(await run(sliceSignal));
          } catch (error) {
            if (sliceSignal.reason !== sliceEnded || signal.aborted) return done(() => reject(error));
            task.sliceMs *= 2;
            enqueue(task);
            return;
          }
          done(() => {});
        },
      };
      const done = (conclude: () => void): void => {
        signal.removeEventListener("abort", onAbort);
        conclude();
      };
      const onAbort = (): void => {
        const index = waiting.indexOf(task);
        if (index >= 0) waiting.splice(index, 1);
        task.abort.abort(signal.reason);
        done(() => reject(signal.reason));
      };
      signal.addEventListener("abort", onAbort);
      enqueue(task);
      schedule();
    });
}

/** The reason of the abort when a slice ends. */
const sliceEnded: unique symbol = Symbol("the time slice ended");
