import { ByteStream } from "./byte-stream.js";
import type { Peer } from "./peer.js";
import type { Connection, RelayCase } from "./relay-bench.js";

const contract = "A reset of one side becomes a reset of the other, and the end says which side it was.";

type Side = "client" | "backend";
const sides: readonly Side[] = ["client", "backend"];

/** The peer that fails, and the one that must see it. */
function rolesOf(side: Side, { client, server }: Connection): { failing: Peer; seeing: Peer } {
  return side === "client" ? { failing: client, seeing: server } : { failing: server, seeing: client };
}

/** What becomes of a reset, of either side. */
export const resetCases: readonly RelayCase[] = sides.flatMap((side): readonly RelayCase[] => {
  const other = side === "client" ? "backend" : "client";
  const reason = `${side}-failed` as const;
  return [
    {
      name: `a ${side}'s reset reaches the ${other} as a reset`,
      contract,
      async check(bench) {
        const connection = await bench.connection();
        const { failing, seeing } = rolesOf(side, connection);
        failing.send("partial");
        await seeing.gets("partial");
        await failing.reset();
        await seeing.getsReset();
        await connection.served.ends(reason, "reset");
      },
    },
    {
      name: `a ${side}'s reset reaches the ${other} of a connection without a byte`,
      contract,
      async check(bench) {
        const connection = await bench.connection();
        const { failing, seeing } = rolesOf(side, connection);
        await failing.reset();
        await seeing.getsReset();
        await connection.served.ends(reason, "reset");
      },
    },
    {
      name: `a ${side}'s reset right behind its last bytes is a reset to the ${other}`,
      contract,
      async check(bench) {
        const [door, backend] = [await bench.listen(), await bench.backend()];
        for (const length of [1, 100, 10_000, 65_536, 100_000, 1_000_000]) {
          const connection = await bench.connected(door, backend);
          const { failing, seeing } = rolesOf(side, connection);
          failing.send("x".repeat(length));
          await failing.reset();
          await seeing.getsReset();
          await connection.served.ends(reason, "reset");
        }
      },
    },
    {
      name: `a ${side}'s reset reaches a ${other} that has ended its output`,
      contract,
      async check(bench) {
        const [door, backend] = [await bench.listen(), await bench.backend()];
        for (const last of ["", "partial"]) {
          const connection = await bench.connected(door, backend);
          const { failing, seeing } = rolesOf(side, connection);
          seeing.end("question");
          await failing.getsEnd("question");
          if (last) failing.send(last);
          await failing.reset();
          await seeing.getsReset();
          await connection.served.ends(reason, "reset");
        }
      },
    },
    {
      name: `the reset of a ${side} that has ended its output reaches a ${other} that goes on sending`,
      contract,
      async check(bench) {
        const connection = await bench.connection();
        const { failing, seeing } = rolesOf(side, connection);
        failing.end("question");
        await seeing.getsEnd("question");
        await failing.reset();
        await seeing.noticesReset();
        await connection.served.ends(reason, "reset");
      },
    },
    {
      name: `the reset of a ${side} from which nothing is read at the time reaches a ${other} that goes on sending`,
      contract,
      async check(bench) {
        const connection = await bench.connection();
        const { failing, seeing } = rolesOf(side, connection);
        seeing.hold();
        const poured = failing.pour(new ByteStream(5), 64 * 1024 * 1024);
        // Each arrives through the relay, which gets as much time to fill all buffers.
        for (let count = 0; count < 200; count++) await seeing.pings(failing);
        await failing.reset();
        await poured;
        await seeing.noticesReset();
        await connection.served.ends(reason, "reset");
      },
    },
  ];
});
