import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { formatAddress } from "@gw/interface";
import { type Harness, loopback, noTimeouts, type RelayCase } from "../test-support/harness.js";
import { Mismatch, Waitable } from "../test-support/waitable.js";
import type { RelayFactory } from "./options.js";

/** What takes a process of its own: whether a relay keeps it alive. */
export function processCases(factory: RelayFactory): readonly RelayCase[] {
  return [
    {
      name: "keeps its process alive as long as a listener or a connection is open",
      contract: "While a listener or a connection is open, the relay keeps the process alive.",
      async check(harness) {
        const backend = await harness.backend();
        const settings = { backend: backend.address, listen: loopback, noTimeouts, factory };
        const host = new RelayProcess(
          ["--input-type=module", "--eval", script, JSON.stringify(settings)],
          harness.sizes.limitMs,
        );
        try {
          const port = Number(await host.prints(/listening on (\d+)\n/));
          await host.prints(/alive with a listener\n/);
          const client = harness.client({ ...loopback, port });
          if (!(await client.connects()))
            throw new Mismatch(`${client} at ${formatAddress({ ...loopback, port })}`);
          await host.prints(/alive with a client\n/);
          const server = await backend.next();
          await host.prints(/alive with a connection\n/);
          client.end("question");
          await server.getsEnd("question");
          server.end("answer");
          await client.getsEnd("answer");
          await host.prints(/ended as finished\n/);
          await host.exits();
        } finally {
          host.stop();
        }
      },
    },
  ];
}

/** Prints that it is alive from timers that do not keep it alive. */
const script = `
  const { backend, listen, noTimeouts, factory } = JSON.parse(process.argv[1]);
  const { [factory.name]: make } = await import(factory.module);
  const relay = await make();
  const later = (what, then = () => {}) =>
    setTimeout(() => {
      console.log("alive with a " + what);
      then();
    }, 200).unref();
  const onClient = client => {
    listener.close();
    later("client", () => client.dial([backend], 10_000));
    return {
      connected: () => later("connection"),
      dialFailed: error => console.log(error.message),
      ended: end => console.log("ended as " + end.reason),
    };
  };
  const listener = await relay.listen(listen, { onClient, onError() {} }, noTimeouts);
  console.log("listening on " + listener.address.port);
  later("listener");`;

const stallTimeoutMs = 700;
/** For how long the process is stopped; longer than the stall timeout. */
const pauseMs = 900;
/** A pause is noticed late, so that its beginning may count. */
const toleranceMs = 300;

/** Whether a relay counts a pause of its process as a wait, which takes a process of its own as well. */
export function pauseCases(factory: RelayFactory): readonly RelayCase[] {
  return [
    {
      name: "does not count a pause of its process as the wait of a client",
      contract: "A client waits for stallTimeoutMs, less the pauses of the process, before it is reported.",
      possible: process.platform !== "win32",
      check: harness => checkPause(harness, factory),
    },
  ];
}

async function checkPause(harness: Harness, factory: RelayFactory): Promise<void> {
  const backend = await harness.backend();
  const settings = { ...noTimeouts, stallTimeoutMs };
  const values = { backend: backend.address, listen: loopback, settings, factory };
  const host = new RelayProcess(
    ["--input-type=module", "--eval", stallScript, JSON.stringify(values)],
    harness.sizes.limitMs,
  );
  try {
    const client = harness.client({
      ...loopback,
      port: Number(await host.prints(/listening on (\d+)\n/)),
    });
    const server = await backend.next();
    client.send("question");
    await server.gets("question");
    host.pause();
    server.send("answer");
    await sleep(pauseMs);
    host.resume();
    await client.gets("answer");
    const sinceMs = performance.now();
    client.send("another");
    await server.gets("another");
    host.pause();
    await sleep(pauseMs);
    host.resume();
    await host.prints(/stalled\n/);
    const tookMs = performance.now() - sinceMs;
    if (tookMs < pauseMs + stallTimeoutMs - toleranceMs)
      throw new Mismatch(
        `a client was reported after ${Math.round(tookMs)} ms, ${pauseMs} ms of them paused`,
      );
    client.end();
    server.end();
    await host.prints(/ended as finished\n/);
    const count = host.count("stalled");
    if (count !== 1) throw new Mismatch(`stalled() was called ${count} times, in place of once`);
  } finally {
    host.stop();
  }
}

/** Prints the events of one client. */
const stallScript = `
  const { backend, listen, settings, factory } = JSON.parse(process.argv[1]);
  const { [factory.name]: make } = await import(factory.module);
  const relay = await make();
  const onClient = client => {
    listener.close();
    setImmediate(() => client.dial([backend], 10_000));
    return {
      connected() {},
      dialFailed: error => console.log(error.message),
      stalled: () => console.log("stalled"),
      ended: end => console.log("ended as " + end.reason),
    };
  };
  const listener = await relay.listen(listen, { onClient, onError() {} }, settings);
  console.log("listening on " + listener.address.port);`;

/** A process with a relay, and its output. */
export class RelayProcess extends Waitable {
  readonly #process: ChildProcess;
  #output = "";
  #code: number | string | undefined;

  /** @param descriptors of this process, which get the numbers from 3 on in that one */
  constructor(args: readonly string[], limitMs: number, descriptors: readonly number[] = []) {
    super(limitMs);
    // The environment of a test would change how Node runs there.
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    this.#process = spawn(process.execPath, args, {
      env,
      stdio: ["ignore", "pipe", "pipe", ...descriptors],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding("utf8").on("data", text => {
        this.#output += text;
        this.changed();
      });
    this.#process.on("close", (code, signal) => {
      this.#code = code ?? signal ?? "";
      this.changed();
    });
  }

  /** Resolves with what the group of `pattern` matches in the output. */
  async prints(pattern: RegExp): Promise<string> {
    const found = await this.until(
      () => pattern.exec(this.#output) ?? (this.#code === undefined ? undefined : []),
      () => `${pattern} is missing (so far: ${this.#output})`,
    );
    if (found.length === 0)
      throw new Mismatch(`it exited with ${this.#code}, after the output ${this.#output}`);
    return found[1] ?? "";
  }

  async exits(): Promise<void> {
    const code = await this.until(
      () => this.#code,
      () => `it does not exit with nothing open (${this.#output})`,
    );
    if (code !== 0) throw new Mismatch(`it exited with ${code}, after the output ${this.#output}`);
  }

  /** How often it has printed `text`. */
  count(text: string): number {
    return this.#output.split(text).length - 1;
  }

  pause(): void {
    this.#process.kill("SIGSTOP");
  }

  resume(): void {
    this.#process.kill("SIGCONT");
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}
