// IPv6 addresses of one link, on a network of the test's own.
import {
  createIsolation,
  type Isolation,
  missing,
  noIsolation,
  type Outcome,
  type Program,
  runProgram,
  startGw,
  startProgram,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const network = [
  "ip link add gw0 type veth peer name gw1",
  "ip address add fe80::10/64 dev gw0 nodad",
  "ip address add fe80::11/64 dev gw1 nodad",
  "ip link set gw0 up",
  "ip link set gw1 up",
];

describe.skipIf(noIsolation() || missing("socat"))("a link-local address", () => {
  let machine: Isolation;
  let backend: Program;
  let number: string;
  const run = (command: string): Promise<Outcome> =>
    runProgram(machine.commandPrefix[0] ?? "", [...machine.commandPrefix.slice(1), "sh", "-c", command]);

  beforeAll(async () => {
    machine = await createIsolation({ network });
    number = /^\d+/.exec((await run("ip -o link show gw0")).stdout)?.[0] ?? "";
    const [command = "", ...rest] = machine.commandPrefix;
    const listener = "TCP6-LISTEN:7001,fork,bind=[fe80::10%gw0]";
    backend = startProgram(command, [...rest, "socat", "-d", "-d", listener, "EXEC:cat"]);
    await backend.printed(/listening on/);
  });

  afterAll(async () => {
    await backend?.[Symbol.asyncDispose]();
    await machine?.[Symbol.asyncDispose]();
  });

  test.each([
    ["js", "http://[fe80::10%25gw0]:7001"],
    ["js", "[fe80::10%NUMBER]:7001"],
    ["native", "https://[fe80::10%25gw0]:7001/"],
    ["native", "[fe80::10%NUMBER]:7001"],
  ])("is dialled by the %s relay: %s", async (relay, written) => {
    const endpoint = written.replace("NUMBER", number);
    const flags = [`--endpoints=${endpoint}`, "--health-check=off", `--relay=${relay}`];
    await using gw = await startGw(flags, { commandPrefix: machine.commandPrefix });
    const served = await run(`echo hello | socat -t 10 - TCP:${gw.address}`);
    expect(served).toMatchObject({ code: 0, stdout: "hello\n" });
  });

  test.each(["js", "native"])("is listened on by the %s relay", async relay => {
    const flags = ["--listen-addr=[fe80::10%gw0]:23790", `--relay=${relay}`];
    await using gw = await startGw(flags, { commandPrefix: machine.commandPrefix });
    expect(gw.address).toBe("[fe80::10%gw0]:23790");
  });

  test("whose interface does not exist yet are waited for, and logged", async () => {
    const flags = ["--endpoints=[fe80::10%later]:7001,127.0.0.1:1", "--health-check=off"];
    await using gw = await startGw(flags, { commandPrefix: machine.commandPrefix });
    expect(await gw.logged(/endpoint unresolved/)).toMatchObject({
      endpoint: "[fe80::10%later]:7001",
      reason: expect.stringContaining('no interface "later"'),
    });
  });
});
