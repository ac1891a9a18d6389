// The longest duration that a flag takes is beyond what a timer of Node can wait for, once there is jitter.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connectTo, outcome, startGw } from "@gw/testing";
import { expect, test } from "vitest";
import { startFlags } from "../src/flags/table.js";

test("with every duration at its longest nothing is due at once, and Node warns of nothing", async () => {
  let lists = 0;
  const server = createServer((request, response) => {
    if (request.url !== "/v3/cluster/member/list") return response.end("ok");
    lists += 1;
    const clientURLs = [`http://127.0.0.1:${port}`];
    return response.end(
      JSON.stringify({ header: { cluster_id: "1" }, members: [{ ID: "1", name: "a", clientURLs }] }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const durations = Object.values(startFlags).filter(({ placeholder }) => placeholder === "<duration>");
  expect(durations.length).toBeGreaterThan(15);
  const longest = durations
    .map(({ name }) => `--${name}`)
    // What the test waits for; and what the system refuses.
    .filter(name => !/health-interval|keepalive|discovery-empty-after/.test(name));
  try {
    for (const relay of ["js", "auto"]) {
      lists = 0;
      await using gw = await startGw([
        `--endpoints=127.0.0.1:${port}`,
        "--discovery-members",
        "--health-check=http",
        "--health-interval=50ms",
        `--relay=${relay}`,
        ...longest.map(name => `${name}=596h31m23s`),
      ]);
      for (let checks = 0; checks < 10; checks++) await once(server, "request");
      const client = await connectTo(gw.port);
      client.end("GET / HTTP/1.0\r\n\r\n");
      expect((await outcome(client)).received.toString()).toMatch(/^HTTP\/1\.1 200 /);
      expect(gw.output).not.toMatch(/Warning/);
      expect(lists).toBeLessThanOrEqual(2);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
