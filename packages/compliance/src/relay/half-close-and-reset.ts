import type { Connection, RelayCase } from "../test-support/harness.js";
import type { Peer } from "../test-support/peer.js";
import { ByteStream } from "../test-support/random.js";

const slowlyReadBytes = 16 * 1024 * 1024;

const halfClose =
  "An end of input on one side becomes a shutdown of the other's write side, and nothing else.";

/** An end of output is passed on, and ends that direction only. */
export const halfCloseCases: readonly RelayCase[] = [
  {
    name: "a client that has ended its output still gets the answer",
    contract: halfClose,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      client.end("question");
      await server.getsEnd("question");
      server.send("answer, ");
      await client.gets("answer, ");
      server.end("more of it");
      await client.getsEnd("more of it");
      await accepted.ends("finished");
    },
  },
  {
    name: "a backend that has ended its output still gets what the client sends",
    contract: halfClose,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      server.end("greeting");
      await client.getsEnd("greeting");
      client.send("still ");
      await server.gets("still ");
      client.end("here");
      await server.getsEnd("here");
      await accepted.ends("finished");
    },
  },
  {
    name: "a client that ends its output without a byte still gets the answer",
    contract: halfClose,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      client.end();
      await server.getsEnd();
      server.end("answer");
      await client.getsEnd("answer");
      await accepted.ends("finished");
    },
  },
  {
    name: "an end of output comes after all that was sent before it, however slowly that is read",
    contract: halfClose,
    async check(harness) {
      const { client, server, accepted } = await harness.connection();
      const [up, down] = [new ByteStream(3), new ByteStream(4)];
      server.expect(up);
      client.expect(down);
      server.pause();
      client.pause();
      for (const [peer, stream] of [
        [client, up],
        [server, down],
      ] as const)
        peer.sendStream(stream, slowlyReadBytes).then(() => peer.end());
      await Promise.all([server.readsSlowly(slowlyReadBytes), client.readsSlowly(slowlyReadBytes)]);
      await Promise.all([server.getsEnd(), client.getsEnd()]);
      await accepted.ends("finished");
    },
  },
  {
    name: "connections whose sides end at once finish",
    contract: "`finished`: both sides ended their output, and every byte was passed on.",
    async check(harness) {
      const [listener, backend] = [await harness.listen(), await harness.backend()];
      for (let round = 0; round < 50; round++) {
        const { client, server, accepted } = await harness.connect(listener, backend);
        client.end("bye");
        server.end("bye");
        await Promise.all([client.getsEnd("bye"), server.getsEnd("bye")]);
        await accepted.ends("finished");
      }
    },
  },
];

const resets = "A reset of one side becomes a reset of the other, and the end says which side was reset.";

type Side = "client" | "backend";
const sides: readonly Side[] = ["client", "backend"];

/** The peer that resets, and the one that must see it. */
function rolesOf(side: Side, { client, server }: Connection): { failing: Peer; seeing: Peer } {
  return side === "client" ? { failing: client, seeing: server } : { failing: server, seeing: client };
}

/** A reset of either side is passed on as a reset. */
export const resetCases: readonly RelayCase[] = sides.flatMap((side): readonly RelayCase[] => {
  const other = side === "client" ? "backend" : "client";
  const reason = `${side}-failed` as const;
  return [
    {
      name: `a ${side}'s reset reaches the ${other} as a reset`,
      contract: resets,
      async check(harness) {
        const connection = await harness.connection();
        const { failing, seeing } = rolesOf(side, connection);
        failing.send("partial");
        await seeing.gets("partial");
        await failing.reset();
        await seeing.getsReset();
        await connection.accepted.ends(reason, "reset");
      },
    },
    {
      name: `a ${side}'s reset reaches the ${other} of a connection without a byte`,
      contract: resets,
      async check(harness) {
        const connection = await harness.connection();
        const { failing, seeing } = rolesOf(side, connection);
        await failing.reset();
        await seeing.getsReset();
        await connection.accepted.ends(reason, "reset");
      },
    },
    {
      name: `a ${side}'s reset right behind its last bytes is a reset to the ${other}`,
      contract: resets,
      async check(harness) {
        const [listener, backend] = [await harness.listen(), await harness.backend()];
        for (const length of [1, 100, 10_000, 65_536, 100_000, 1_000_000]) {
          const connection = await harness.connect(listener, backend);
          const { failing, seeing } = rolesOf(side, connection);
          failing.send("x".repeat(length));
          await failing.reset();
          await seeing.getsReset();
          await connection.accepted.ends(reason, "reset");
        }
      },
    },
    {
      name: `a ${side}'s reset reaches a ${other} that has ended its output`,
      contract: resets,
      async check(harness) {
        const [listener, backend] = [await harness.listen(), await harness.backend()];
        for (const last of ["", "partial"]) {
          const connection = await harness.connect(listener, backend);
          const { failing, seeing } = rolesOf(side, connection);
          seeing.end("question");
          await failing.getsEnd("question");
          if (last) failing.send(last);
          await failing.reset();
          await seeing.getsReset();
          await connection.accepted.ends(reason, "reset");
        }
      },
    },
    {
      name: `the reset of a ${side} that has ended its output reaches a ${other} that continues to send`,
      contract: resets,
      async check(harness) {
        const connection = await harness.connection();
        const { failing, seeing } = rolesOf(side, connection);
        failing.end("question");
        await seeing.getsEnd("question");
        await failing.reset();
        await seeing.noticesReset();
        await connection.accepted.ends(reason, "reset");
      },
    },
    {
      name: `the reset of a ${side} whose bytes the relay holds back reaches a ${other} that continues to send`,
      contract: resets,
      async check(harness) {
        const connection = await harness.connection();
        const { failing, seeing } = rolesOf(side, connection);
        seeing.pause();
        const poured = failing.sendStream(new ByteStream(5), 64 * 1024 * 1024);
        // Each is a round trip in which the relay can fill all buffers.
        for (let count = 0; count < 200; count++) await seeing.pings(failing);
        await failing.reset();
        await poured;
        await seeing.noticesReset();
        await connection.accepted.ends(reason, "reset");
      },
    },
  ];
});
