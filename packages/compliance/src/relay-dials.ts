import type { RelayCase } from "./relay-bench.js";
import { Surprise } from "./waiting.js";

const failed = "After a dial that failed the client waits for another.";

/** What becomes of dials that fail, and of the clients that wait for them. */
export const dialCases: readonly RelayCase[] = [
  {
    name: "tells that a dial was refused, and dials again for the same client",
    contract: failed,
    async check(bench) {
      const [door, backend, nobody] = [await bench.listen(), await bench.backend(), await bench.nobody()];
      const { client, served } = await bench.accepted(door);
      client.send("early");
      for (let count = 0; count < 3; count++) {
        served.dial(nobody);
        await served.failsToDial("refused");
      }
      served.dial(backend.address);
      await served.isConnected();
      const server = await backend.next();
      await server.gets("early");
      server.end("answer");
      await client.getsEnd("answer");
    },
  },
  {
    name: "dials again from within dialFailed()",
    contract: failed,
    async check(bench) {
      const [door, backend, nobody] = [await bench.listen(), await bench.backend(), await bench.nobody()];
      const { client, served } = await bench.accepted(door);
      client.end("early");
      served.react = event => {
        if (event === "dialFailed") served.dial(backend.address);
      };
      served.dial(nobody);
      await served.failsToDial("refused");
      await served.isConnected();
      await (await backend.next()).getsEnd("early");
    },
  },
  {
    name: "tells that a dial got no answer in time, and dials again for the same client",
    contract: failed,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      client.send("early");
      const since = performance.now();
      served.dial(hole, 300);
      await served.failsToDial("timed-out");
      const tookMs = performance.now() - since;
      if (tookMs < 295) throw new Surprise(`a dial that may take 300 ms was given up after ${tookMs} ms`);
      served.dial(backend.address);
      await served.isConnected();
      await (await backend.next()).gets("early");
    },
  },
  {
    name: "tells that an address cannot be reached, though the system says so at once",
    contract: failed,
    async check(bench) {
      const [door, backend] = [await bench.listen(), await bench.backend()];
      const { served } = await bench.accepted(door);
      // TCP has no broadcast.
      served.dial({ host: "255.255.255.255", port: 9 });
      await served.failsToDial();
      served.dial(backend.address);
      await served.isConnected();
    },
  },
  {
    name: "goes on with the dial for a client that ends its output meanwhile",
    contract: "An end of input on one side becomes a shutdown of the other's write side.",
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      const { client, served } = await bench.accepted(door);
      served.dial(hole, 300);
      client.end("question");
      await served.failsToDial("timed-out");
      served.dial(backend.address);
      await served.isConnected();
      const server = await backend.next();
      await server.getsEnd("question");
      server.end("answer");
      await client.getsEnd("answer");
      await served.ends("finished");
    },
  },
];
