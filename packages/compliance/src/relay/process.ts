import { type ChildProcess, spawn } from "node:child_process";
import { formatAddress } from "@gw/interface";
import { loopback, noTimeouts, type RelayCase } from "../test-support/harness.js";
import { Changing, Surprise } from "../test-support/waitable.js";
import type { RelayFactory } from "./options.js";

/** What a relay is to the process that it runs in, which must be one of its own to see. */
export function processCases(factory: RelayFactory): readonly RelayCase[] {
  return [
    {
      name: "keeps its process alive as long as a listener or a connection is open",
      contract: "While a listener or a connection is open, the relay keeps the process alive.",
      async check(bench) {
        const backend = await bench.backend();
        const settings = { backend: backend.address, listen: loopback, noTimeouts, factory };
        const host = new Host(
          ["--input-type=module", "--eval", script, JSON.stringify(settings)],
          bench.sizes.limitMs,
        );
        try {
          const port = Number(await host.prints(/listening on (\d+)\n/));
          await host.prints(/alive with a listener\n/);
          const client = bench.client({ ...loopback, port });
          if (!(await client.settled()))
            throw new Surprise(`${client} at ${formatAddress({ ...loopback, port })}`);
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

/** Says that it is alive from timers that do not keep it so. */
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

/** A process with a relay, and what it says. */
class Host extends Changing {
  readonly #process: ChildProcess;
  #said = "";
  #code: number | string | undefined;

  constructor(args: readonly string[], limitMs: number) {
    super(limitMs);
    // What Node would be told by the environment of a test is not meant for it.
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    this.#process = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr])
      stream?.setEncoding("utf8").on("data", text => {
        this.#said += text;
        this.changed();
      });
    this.#process.on("close", (code, signal) => {
      this.#code = code ?? signal ?? "";
      this.changed();
    });
  }

  /** Resolves with what the group of `pattern` matches in what it says. */
  async prints(pattern: RegExp): Promise<string> {
    const found = await this.until(
      () => pattern.exec(this.#said) ?? (this.#code === undefined ? undefined : []),
      () => `${pattern} is missing (so far: ${this.#said})`,
    );
    if (found.length === 0)
      throw new Surprise(`it exited with ${this.#code}, after it had said ${this.#said}`);
    return found[1] ?? "";
  }

  async exits(): Promise<void> {
    const code = await this.until(
      () => this.#code,
      () => `it does not exit, with nothing open (${this.#said})`,
    );
    if (code !== 0) throw new Surprise(`it exited with ${code}, after it had said ${this.#said}`);
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}
