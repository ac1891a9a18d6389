import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { platform, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  createIsolation,
  freeDnsPort,
  manualClock,
  missing,
  noIsolation,
  runProgram,
  startDnsServer,
} from "@gw/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  a,
  aaaa,
  type FakeDns,
  type Received,
  recursion,
  srv,
  startFakeDns,
  truncated,
} from "../../test/fake-dns.js";
import type { DnsClient, DnsClientOptions } from "./client.js";
import { createDnsClient } from "./create-client.js";

const name = "_etcd-client._tcp.example.com.";
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-options-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function clientOf(
  options: string,
  servers: readonly Pick<FakeDns, "address">[],
  more: DnsClientOptions = {},
): Promise<DnsClient> {
  const resolvConf = join(folder, "resolv.conf");
  await writeFile(resolvConf, `options ${options}\n`);
  return createDnsClient({ resolvConf, servers: servers.map(({ address }) => address), ...more });
}

const answer = ({ name, type, reply }: Received): void =>
  reply({
    answers: [type === "SRV" ? srv(name, "t") : type === "A" ? a(name, "10.0.0.1") : aaaa(name, "fd00::1")],
  });

describe("with use-vc", () => {
  test("servers are queried over TCP only", async () => {
    const overTcp: boolean[] = [];
    await using server = await startFakeDns(received => {
      overTcp.push(received.socket !== undefined);
      answer(received);
    });
    const client = await clientOf("use-vc", [server]);
    expect((await client.srv(name)).records).toHaveLength(1);
    expect((await client.addresses(name)).addresses).toHaveLength(2);
    expect(overTcp).toEqual([true, true, true]);
  });

  test.each<[what: string, withEdns: (received: Received) => void]>([
    ["refuses", ({ reply }) => reply({ flags: 1 })],
    ["ends the connection for", ({ socket }) => socket?.destroy()],
    ["resets the connection for", ({ socket }) => socket?.resetAndDestroy()],
  ])("a server that %s EDNS is queried without, also from then on", async (_, withEdns) => {
    const asked: boolean[] = [];
    await using server = await startFakeDns(received => {
      asked.push(received.edns);
      if (received.edns) withEdns(received);
      else answer(received);
    });
    const client = await clientOf("use-vc attempts:1", [server]);
    for (let count = 0; count < 2; count++) expect((await client.srv(name)).records).toHaveLength(1);
    expect(asked).toEqual([true, false, false]);
  });

  test("a server that accepts no connections is skipped", async () => {
    const address = { host: "127.0.0.1", port: await freeDnsPort() };
    await using server = await startFakeDns(answer);
    const client = await clientOf("use-vc", [{ address }, server]);
    expect((await client.srv(name)).records).toHaveLength(1);
    await expect((await clientOf("use-vc", [{ address }])).srv(name)).rejects.toThrow(
      "connection refused (ECONNREFUSED)",
    );
  });

  test.skipIf(missing("knotd", "knotc"))("knot is", async () => {
    await using server = await startDnsServer({ zone: "_etcd-client._tcp SRV 0 0 2379 infra0" });
    const client = await clientOf("use-vc", [server]);
    expect((await client.srv(name)).records).toMatchObject([{ target: "infra0.example.com." }]);
  });
});

test("a truncated answer that TCP does not complete is not used, and the next server is queried", async () => {
  const cut = ({ name, socket, reply }: Received): void =>
    socket ? void socket.destroy() : reply({ flags: truncated | recursion, answers: [srv(name, "part")] });
  await using first = await startFakeDns(cut);
  await using second = await startFakeDns(answer);
  expect((await (await clientOf("", [first, second])).srv(name)).records).toMatchObject([{ target: "t." }]);
  await expect((await clientOf("", [first])).srv(name)).rejects.toMatchObject({
    code: "name-not-resolved",
    detail: expect.stringContaining(
      ": sent a truncated answer, and over TCP: the connection ended before the answer",
    ),
  });
});

test("with rotate each look-up begins with the next server, and goes on to all", async () => {
  const asked: number[] = [];
  const note =
    (index: number, then: (received: Received) => void) =>
    (received: Received): void => {
      asked.push(index);
      then(received);
    };
  await using first = await startFakeDns(note(1, answer));
  await using second = await startFakeDns(note(2, answer));
  await using third = await startFakeDns(note(3, answer));
  const servers = [first, second, third];
  const rotating = await clientOf("rotate", servers);
  for (let count = 0; count < 4; count++) await rotating.srv(name);
  expect(asked.splice(0)).toEqual([1, 2, 3, 1]);
  const steady = await clientOf("", servers);
  for (let count = 0; count < 2; count++) await steady.srv(name);
  expect(asked.splice(0)).toEqual([1, 1]);

  await using broken = await startFakeDns(note(4, ({ edns, reply }) => edns && reply({ flags: 5 })));
  const client = await clientOf("rotate -edns0", [first, broken], { timeoutMs: 50 });
  await client.srv(name);
  expect((await client.srv(name)).records).toHaveLength(1);
  expect(asked).toEqual([1, 4, 1]);
});

test("timeout and attempts apply to each server", async () => {
  const clock = manualClock();
  await using server = await startFakeDns();
  const client = await clientOf("timeout:7 attempts:3", [server], { clock });
  const failure = expect(client.srv(name)).rejects.toMatchObject({
    code: "timed-out",
    detail: expect.stringContaining("no answer within 7000 ms"),
  });
  for (let count = 0; count < 3; count++) {
    await server.next();
    await clock.advance(7_000);
  }
  await failure;
  expect(server.received).toBe(3);
  expect(clock.pending).toBe(0);
});

test("with -edns0 servers are queried without EDNS", async () => {
  const asked: boolean[] = [];
  await using server = await startFakeDns(received => {
    asked.push(received.edns);
    answer(received);
  });
  await (await clientOf("-edns0", [server])).srv(name);
  await (await clientOf("edns0", [server])).srv(name);
  await (await clientOf("", [server])).srv(name);
  expect(asked).toEqual([false, true, true]);
});

test("with single-request the second family is looked up when the first is known", async () => {
  await using server = await startFakeDns();
  const found = (await clientOf("single-request", [server])).addresses("infra0.example.com.");
  const first = await server.next();
  expect([first.type, server.received]).toEqual(["A", 1]);
  answer(first);
  const second = await server.next();
  expect(second.type).toBe("AAAA");
  answer(second);
  expect([...(await found).addresses].sort()).toEqual(["10.0.0.1", "fd00::1"]);

  await using failing = await startFakeDns(received =>
    received.type === "A" ? received.reply({ flags: 2 }) : answer(received),
  );
  const client = await clientOf("single-request", [failing]);
  expect((await client.addresses("infra0.example.com.")).addresses).toEqual(["fd00::1"]);
});

test("with no-aaaa IPv6 addresses are not looked up", async () => {
  const types: string[] = [];
  await using server = await startFakeDns(received => {
    types.push(received.type);
    if (received.name.startsWith("infra0")) answer(received);
    else received.reply({ flags: 3 | recursion });
  });
  const client = await clientOf("no-aaaa", [server]);
  expect((await client.addresses("infra0.example.com.")).addresses).toEqual(["10.0.0.1"]);
  expect(await client.addresses("infra1.example.com.")).toMatchObject({ addresses: [], exists: false });
  expect(types).toEqual(["A", "A"]);
});

test("changed options apply from the next look-up on", async () => {
  const overTcp: boolean[] = [];
  await using server = await startFakeDns(received => {
    overTcp.push(received.socket !== undefined);
    answer(received);
  });
  const client = await clientOf("", [server]);
  await client.srv(name);
  await writeFile(join(folder, "resolv.conf"), "options use-vc\n");
  await client.srv(name);
  expect(overTcp).toEqual([false, true]);
});

test("the error shows that the zone of a server is no interface of this machine", async () => {
  const client = await clientOf("attempts:1", [{ address: { host: "fe80::1%gw-none", port: 53 } }], {
    timeoutMs: 200,
  });
  await expect(client.srv(name)).rejects.toThrow("[fe80::1%gw-none]:53: ");
});

test.skipIf(platform() === "win32")("without descriptors the machine is to blame, not the name", async () => {
  await using server = await startFakeDns(answer);
  await writeFile(join(folder, "resolv.conf"), "search one\n");
  const script = `
    import { openSync } from "node:fs";
    import { createDnsClient } from "@gw/discovery";
    const options = { servers: [${JSON.stringify(server.address)}], attempts: 1 };
    const before = createDnsClient({ ...options, resolvConf: ${JSON.stringify(join(folder, "resolv.conf"))} });
    const after = createDnsClient({ ...options, resolvConf: "/etc/passwd" });
    await before.srv("warm.");
    await before.addresses("warm.");
    try { for (;;) openSync("/dev/null"); } catch {}
    const codes = [];
    for (const work of [before.srv("a"), before.addresses("a"), after.srv("a")])
      codes.push(await work.then(() => "found", error => error.code));
    process.stdout.write(codes.join(" "), () => process.exit());`;
  const node = `exec "$0" --input-type=module -e "$1"`;
  const { stdout } = await promisify(execFile)(
    "bash",
    ["-c", `ulimit -n 64; ${node}`, process.execPath, script],
    { cwd: join(import.meta.dirname, "../..") },
  );
  expect(stdout).toBe("out-of-resources out-of-resources out-of-resources");
});

test.skipIf(noIsolation())("without free ports the machine is to blame too", async () => {
  await using isolation = await createIsolation({
    network: ["echo 40000 40001 > /proc/sys/net/ipv4/ip_local_port_range"],
  });
  const script = `
    import { createSocket } from "node:dgram";
    import { once } from "node:events";
    import { createDnsClient } from "@gw/discovery";
    for (let count = 0; count < 2; count++) await once(createSocket("udp4").bind(0), "listening");
    const client = createDnsClient({ servers: [{ host: "127.0.0.1", port: 5353 }], attempts: 1 });
    const code = await client.srv("a.").then(() => "found", error => error.code);
    process.stdout.write(code, () => process.exit());`;
  const [command = "", ...within] = isolation.commandPrefix;
  const cwd = join(import.meta.dirname, "../..");
  const args = [
    "sh",
    "-c",
    `cd "$2" && exec "$0" --input-type=module -e "$1"`,
    process.execPath,
    script,
    cwd,
  ];
  const { stdout, stderr } = await runProgram(command, [...within, ...args]);
  expect(stdout || stderr).toBe("address-not-available");
});
