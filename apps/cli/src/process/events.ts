/**
 * Events of the process: signals that would end it or open Node's debugger, warnings of Node, and errors that nothing
 * catches. The program loads this before anything else, so it imports nothing. Events that come before there is a listener
 * are kept for it.
 */

/**
 * Signals that would end a program that does not handle them, and mean nothing to gw. With SIGUSR1 Node
 * would listen for a debugger on port 9229; it means something where there is an access log. SIGQUIT goes on to leave a core, and those of faults and limits end it too.
 */
const ignored = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGVTALRM",
  "SIGIO",
  "SIGPWR",
  "SIGSTKFLT",
  // With it V8 takes samples where Node was started with a profiler.
  ...(/prof/.test(`${process.execArgv} ${process.env["NODE_OPTIONS"]}`) ? [] : ["SIGPROF"]),
] as readonly NodeJS.Signals[];

const ignoredSignals = mailbox<string>(ignored.length);
const hangups = mailbox<"SIGHUP">(1);
let reopen: (() => void) | undefined;
const warnings = mailbox<Error>(20);

/** Calls `listener` with the name of each signal that was ignored, once for each, also of those before this call. */
export const onIgnoredSignal: (listener: (signal: string) => void) => void = ignoredSignals.listen;

/** Calls `listener` for each SIGHUP, and once for those before this call. Replaces the last listener. */
export const onHangup: (listener: (signal: "SIGHUP") => void) => void = hangups.listen;

/** Calls `listener` for each SIGUSR1, which is ignored until there is one. Replaces the last listener. */
export function onReopen(listener: (() => void) | undefined): void {
  reopen = listener;
}

/** Calls `listener` for each warning of Node (deprecations, leaks), also for the first ones before this call. */
export const onWarning: (listener: (warning: Error) => void) => void = warnings.listen;

let report = (error: unknown): Promise<void> | void => {
  process.stderr.write(`gw: error: unexpected: ${JSON.stringify(String(error))}\n`);
};

/** Sets the function that reports an error that nothing caught. Then the process ends with exit code 1. */
export function onFatal(reporter: (error: unknown) => Promise<void> | void): void {
  report = reporter;
}

for (const name of ignored) {
  const ignore = once(name);
  handle(name, () => (name === "SIGUSR1" && reopen ? reopen() : ignore()));
}
handle("SIGHUP", () => hangups.put("SIGHUP"));
// Node's own listener prints them between the lines of a log.
process.removeAllListeners("warning");
process.on("warning", warnings.put);

let ending = false;
process.on("uncaughtException", error => {
  if (ending) return;
  ending = true;
  Promise.resolve(error)
    .then(report)
    .catch(() => {})
    .then(() => process.exit(1));
});

function once(name: string): () => void {
  let seen = false;
  return () => {
    if (!seen) ignoredSignals.put(name);
    seen = true;
  };
}

/** Not every system has every signal. */
function handle(name: NodeJS.Signals, listener: () => void): void {
  try {
    process.on(name, listener);
  } catch {
    // It cannot arrive here.
  }
}

/** Passes on what is put in. Until there is a listener it keeps the first `capacity`. */
function mailbox<T>(capacity: number): { put(item: T): void; listen(listener: (item: T) => void): void } {
  const kept: T[] = [];
  let listener: ((item: T) => void) | undefined;
  return {
    put(item) {
      if (listener) listener(item);
      else if (kept.length < capacity) kept.push(item);
    },
    listen(next) {
      listener = next;
      for (const item of kept.splice(0)) next(item);
    },
  };
}
