import type { RelayCase } from "./relay-bench.js";

const contract = "close() closes a client that has no backend; one that has sent bytes sees a reset.";

/** How a proxy gets rid of clients that it cannot serve. */
export const closingCases: readonly RelayCase[] = [
  {
    name: "closes a client that has sent nothing and was never dialled for",
    contract,
    async check(bench) {
      const { client, served } = await bench.accepted(await bench.listen());
      served.close();
      await served.ends("closed");
      await client.until(
        () => client.fate,
        () => `${client} after close()`,
      );
    },
  },
  {
    name: "closes a client that has sent bytes with a reset",
    contract,
    async check(bench) {
      const [door, nobody] = [await bench.listen(), await bench.nobody()];
      for (const dials of [0, 1]) {
        const { client, served } = await bench.accepted(door);
        await client.send("question");
        if (dials) {
          served.dial(nobody);
          await served.failsToDial("refused");
        }
        served.close();
        await client.getsReset();
        await served.ends("closed");
      }
    },
  },
  {
    name: "closes a client that has sent bytes and ended its output with a reset",
    contract,
    async check(bench) {
      const [door, nobody] = [await bench.listen(), await bench.nobody()];
      const { client, served } = await bench.accepted(door);
      client.end("question");
      served.dial(nobody);
      await served.failsToDial("refused");
      served.close();
      await client.getsReset();
      await served.ends("closed");
    },
  },
  {
    name: "closes a client that is dialled for",
    contract: `${contract} So is one that is being dialled for.`,
    async check(bench) {
      const [door, backend, hole] = [await bench.listen(), await bench.backend(), await bench.blackHole()];
      for (const address of [hole, backend.address]) {
        const { client, served } = await bench.accepted(door);
        await client.send("question");
        served.dial(address);
        served.close();
        await client.getsReset();
        await served.ends("closed");
      }
    },
  },
];
