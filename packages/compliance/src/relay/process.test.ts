import { expect, test } from "vitest";
import { relay } from "../../test/relays.js";
import { relayCompliance } from "./relay-compliance.js";

/** A module that exports a relay with only what these cases need. `listening` is code that runs once it listens. */
function factory(listening: string): { readonly module: string; readonly name: string } {
  const source = `
    import { once } from "node:events";
    import { connect, createServer } from "node:net";
    async function listen({ host, port }, { onClient }) {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(port, host);
      server.on("connection", socket => {
        // A socket that is not read does not keep a process alive.
        socket.alive = setInterval(() => {}, 1000);
        socket.once("close", () => clearInterval(socket.alive));
        const events = onClient({
          dial([address]) {
            const { host, port } = address;
            const backend = connect({ host, port, allowHalfOpen: true });
            backend.once("connect", () => events.connected(address));
            reportStalls(server, socket, backend, () => events.stalled());
            socket.pipe(backend).pipe(socket).on("close", () => events.ended({ reason: "finished" }));
          },
        });
      });
      await once(server, "listening");
      ${listening}
      return { address: server.address(), close: () => server.close() };
    }
    // Counts the ticks of a timer, which stand still while the process does.
    function reportStalls(server, client, backend, report) {
      let ticks = 0, asks = false;
      client.on("data", () => {
        asks = true;
        ticks = 0;
        if (server.countsPauses) setTimeout(() => asks && report(), 700);
      });
      backend.on("data", () => (asks = false));
      if (server.countsPauses) return;
      const tick = () => asks && ++ticks === 36 && report();
      const timer = setInterval(() => setImmediate(tick), 20);
      client.once("close", () => clearInterval(timer));
    }
    export const simple = () => ({ name: "simple", listen });`;
  return { module: `data:text/javascript,${encodeURIComponent(source)}`, name: "simple" };
}

function run(listening: string, name = "keeps its process alive"): Promise<void> {
  const cases = relayCompliance(() => relay(), { factory: factory(listening), limitMs: 3_000 });
  const one = cases.find(one => one.name.startsWith(name));
  return one?.run() ?? Promise.reject(new Error("no such case"));
}

test("a relay keeps its process alive only while something is open", async () => {
  await run("");
});

const pause = "does not count a pause of its process";

test("a relay does not count a pause of its process", async () => {
  await run("", pause);
});

test("catches a relay that counts pauses of its process", async () => {
  await expect(run("server.countsPauses = true;", pause)).rejects.toThrow(
    /ms of them paused|stalled\(\) was called/,
  );
});

const caught: { readonly [fault: string]: readonly [listening: string, message: RegExp] } = {
  "does not keep its process alive while it listens": [
    "server.unref();",
    /it exited with 0, after.*listening/,
  ],
  "does not keep its process alive while it has clients": [
    'server.on("connection", socket => clearInterval(socket.alive));',
    /it exited with 0, after.*alive with a listener/s,
  ],
  "keeps its process alive with nothing open": [
    "setInterval(() => {}, 1000);",
    /it does not exit with nothing open/,
  ],
  "fails in a process of its own": [
    'throw new Error("no such system");',
    /it exited with 1.*no such system/s,
  ],
};
test.each(Object.entries(caught))("catches a relay that %s", async (_, [listening, message]) => {
  await expect(run(listening)).rejects.toThrow(message);
});

test("has no such case without a factory for another process", () => {
  const names = relayCompliance(() => relay()).map(({ name }) => name);
  expect(names.filter(name => name.includes("process"))).toEqual([]);
});
