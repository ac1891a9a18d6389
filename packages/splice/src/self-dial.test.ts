// A dial to a local port that nobody listens on can connect to itself, if the system picks that port as its source.
import { createIsolation, noIsolation, startProgram } from "@gw/testing";
import { describe, expect } from "vitest";
import { test } from "../test/available.js";
import { scriptWith } from "../test/script.js";

const port = 40_000;
const address = { host: "127.0.0.1", port };

/** Prints how a dial of `addresses` fails, and then whether a server can listen on the port. */
const script = (addresses: readonly (typeof address)[]): string =>
  scriptWith(`
    const { connect, createServer } = require("node:net");
    const onClient = client => {
      client.dial(${JSON.stringify(addresses)}, 10_000);
      return {
        ...noEvents,
        dialFailed(error) {
          console.log(error.code);
          client.close();
        },
        ended() {
          listener.close();
          createServer()
            .on("error", ({ code }) => console.log(code))
            .listen(${port}, "127.0.0.1", function () {
              console.log("listening");
              this.close();
            });
        },
      };
    };
    const handlers = { onClient, onError() {} };
    const listener = await splice({ threads: 1 }).listen({ host: "127.0.0.1", port: 39_000 }, handlers, settings);
    connect({ ...listener.address, localAddress: "127.0.0.2", localPort: 39_001 }).on("error", () => {}).resume();`);

describe.skipIf(noIsolation())("a dial that connects to itself", () => {
  test.for([[[address]], [[address, address]]])(
    "fails, and leaves the port to a server: %j",
    async ([addresses]) => {
      // The only port that the system can pick.
      const network = [`echo ${port} ${port} > /proc/sys/net/ipv4/ip_local_port_range`];
      await using isolation = await createIsolation({ network });
      const [command = "", ...args] = isolation.commandPrefix;
      await using program = startProgram(command, [
        ...args,
        process.execPath,
        "--eval",
        script(addresses ?? []),
      ]);
      expect(await program.exit).toMatchObject({ code: 0, stdout: "refused\nlistening\n" });
    },
  );
});
