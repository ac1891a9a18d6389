import { fileURLToPath } from "node:url";
import { type Program, startProgram } from "@gw/testing";

const program = fileURLToPath(new URL("client.js", import.meta.url));

/** One attempt to put. Times are those of `Date.now()`. */
export interface Attempt {
  readonly start: number;
  readonly end: number;
  readonly ok: boolean;
}

/** An event that a watch has delivered. The value is the time at which its put began. */
export interface WatchEvent {
  readonly at: number;
  readonly value: number;
}

/** An answer of a member about its state. */
export interface StatusAnswer {
  readonly at: number;
  /** Whether it knows a leader; absent if it did not answer. */
  readonly leader?: boolean;
}

/** A client that runs until it is disposed of. */
export interface Client<Result> extends AsyncDisposable {
  /** What it has seen so far. */
  readonly results: readonly Result[];
  /** Whether it has not ended by itself. */
  readonly running: boolean;
}

/** How a raw client puts: all on one connection, or each on a new one. */
export type PutMode = "put-kept" | "put-new";

/** Puts a key again and again, `intervalMs` after the one before or at once after a failure. */
export function startPuts(
  prefix: readonly string[],
  mode: PutMode,
  address: string,
  { key = "k", intervalMs = 200, timeoutMs = 0 } = {},
): Client<Attempt> {
  return startClient(prefix, [mode, address, key, `${intervalMs}`, `${timeoutMs}`]);
}

/** Watches a key over HTTP, without a byte from the client after the first request. */
export function startHttpWatch(prefix: readonly string[], address: string, key: string): Client<WatchEvent> {
  return startClient<{ at: number; value: string }, WatchEvent>(
    prefix,
    ["watch", address, key, "0", "0"],
    ({ at, value }) => ({ at, value: Number(value) }),
  );
}

/** Asks a member for its state every 50 ms, without a gateway. */
export function startStatus(prefix: readonly string[], endpoint: string): Client<StatusAnswer> {
  return startClient(prefix, ["status", endpoint, "", "50", "500"]);
}

function startClient<Line, Result = Line>(
  prefix: readonly string[],
  args: readonly string[],
  convert: (line: Line) => Result = line => line as unknown as Result,
): Client<Result> {
  const [command = "", ...rest] = [...prefix, process.execPath, program, ...args];
  const started = startProgram(command, rest);
  // It prints nothing there unless it fails.
  started.child.stderr?.on("data", (text: string) => process.stderr.write(text));
  return reading(started, line => convert(JSON.parse(line) as Line));
}

/** Runs `etcdctl put` with its defaults, `intervalMs` after the one before or at once after a failure. */
export function startEtcdctlPuts(
  prefix: readonly string[],
  address: string,
  intervalMs = 200,
): Client<Attempt> {
  const loop = `while :; do
    start=$(date +%s%3N)
    if "$@" put k "$start" >/dev/null 2>&1; then ok=true; else ok=false; fi
    echo "{\\"start\\":$start,\\"end\\":$(date +%s%3N),\\"ok\\":$ok}"
    if $ok; then sleep ${intervalMs / 1000}; fi
  done`;
  return reading(startShell(prefix, loop, address), line => JSON.parse(line) as Attempt);
}

/** Watches a key with etcdctl. @param flags such as `--keepalive-time=24h` */
export function startEtcdctlWatch(
  prefix: readonly string[],
  address: string,
  key: string,
  flags: readonly string[] = [],
): Client<WatchEvent> {
  const once = `while :; do "$@" watch ${key} ${flags.join(" ")}; done`;
  // A value follows its key, each on its own line, after the kind of event.
  return reading(startShell(prefix, once, address), line =>
    /^\d+$/.test(line) ? { at: Date.now(), value: Number(line) } : undefined,
  );
}

function startShell(prefix: readonly string[], script: string, address: string): Program {
  const etcdctl = ["etcdctl", `--endpoints=${address}`];
  const [command = "", ...rest] = [...prefix, "sh", "-c", script, "sh", ...etcdctl];
  return startProgram(command, rest, { env: { ETCDCTL_API: "3" }, detached: true });
}

/** Converts the lines of a program when they arrive. */
function reading<Result>(started: Program, convert: (line: string) => Result | undefined): Client<Result> {
  const results: Result[] = [];
  let unread = "";
  started.child.stdout?.on("data", (text: string) => {
    const lines = (unread + text).split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines) {
      const result = convert(line);
      if (result !== undefined) results.push(result);
    }
  });
  return {
    results,
    get running() {
      return started.running;
    },
    [Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
  };
}
