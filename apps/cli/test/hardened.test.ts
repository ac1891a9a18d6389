// What a hardened or exhausted machine refuses: what gw can do without, it does without.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectTo,
  echo,
  freePort,
  type Gw,
  missing,
  outcome,
  runGw,
  runProgram,
  startBackend,
  startDnsServer,
  startGw,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "./packed.js";

const skip = process.platform !== "linux" || Boolean(missing("cc"));

describe.skipIf(skip)("gw serves", () => {
  let folder = "";
  let sandbox = "";
  let fewThreads = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-hardened-"));
    sandbox = join(folder, "sandbox");
    fewThreads = join(folder, "few-threads.so");
    const sources = join(root, "apps/cli/test");
    for (const args of [
      [join(sources, "sandbox.c"), "-o", sandbox],
      [join(sources, "few-threads.c"), "-shared", "-fPIC", "-o", fewThreads],
    ]) {
      const { code, stderr } = await runProgram("cc", ["-Wall", "-Wextra", "-Werror", ...args]);
      if (code !== 0) throw new Error(stderr);
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function expectEcho(gw: Gw): Promise<void> {
    const client = await connectTo(gw.port);
    client.end("hello");
    expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
  }

  test.each([
    ["where network interfaces cannot be listed", ["netlink"]],
    ["from a working folder that was removed", ["cwd"]],
    ["with standard input and output closed", ["fd:0", "fd:1"]],
  ])("%s", async (_, lacks) => {
    await using backend = await startBackend(echo);
    for (const listen of ["127.0.0.1", "0.0.0.0"]) {
      await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, `--listen-addr=${listen}:0`], {
        commandPrefix: [sandbox, ...lacks, "--"],
      });
      await expectEcho(gw);
    }
  });

  test.skipIf(missing("knotd"))("endpoints from DNS where network interfaces cannot be listed", async () => {
    await using backend = await startBackend(echo);
    await using dns = await startDnsServer({
      zone: `_etcd-client._tcp SRV 0 0 ${backend.port} m1\nm1 A 127.0.0.1`,
    });
    await using gw = await startGw(
      ["--discovery-srv=example.com", "--insecure-discovery", `--dns-server=127.0.0.1:${dns.address.port}`],
      { commandPrefix: [sandbox, "netlink", "--"] },
    );
    await expectEcho(gw);
  });

  test("from the TypeScript relay where the native one gets no threads, and logs it once", async () => {
    await using backend = await startBackend(echo);
    for (const threads of ["0", "1", "2"]) {
      await using gw = await startGw(
        [
          `--endpoints=127.0.0.1:${backend.port}`,
          "--relay-threads=3",
          "--listen-addr=127.0.0.1:0",
          "--listen-addr=127.0.0.1:0",
        ],
        { env: { LD_PRELOAD: fewThreads, GW_TEST_THREADS: threads } },
      );
      expect(await gw.logged(/ready/)).toMatchObject({ relay: "js" });
      const warnings = gw.log.filter(({ msg }) => msg === "relay fallback");
      expect(warnings).toMatchObject([{ level: "warn", reason: expect.stringContaining("EAGAIN") }]);
      await expectEcho(gw);
    }
  });

  test.skipIf(missing("strace")).each([
    ["a signal interrupts the self-test", "poll:error=EINTR:when=1+2"],
    ["there is no free port for the self-test", "connect:error=EADDRNOTAVAIL:when=1"],
  ])("from the native relay where %s", async (_, injected) => {
    await using backend = await startBackend(echo);
    await using gw = await startGw(
      [`--endpoints=127.0.0.1:${backend.port}`, "--relay=native", "--relay-threads=1"],
      {
        commandPrefix: ["strace", "-f", "--output=/dev/null", `--inject=${injected}`],
        // What is traced would outlive strace.
        detached: true,
      },
    );
    // strace counts calls by thread: the relay's first dial may fail as well.
    await outcome(await connectTo(gw.port).then(client => client.end()));
    await expectEcho(gw);
  });

  test("not where --relay=native gets no threads: it ends with exit code 1 and why", async () => {
    for (const threads of ["0", "2"]) {
      const { code, stderr } = await runGw(
        [
          "start",
          "--relay=native",
          "--relay-threads=3",
          `--listen-addr=127.0.0.1:${await freePort()}`,
          "--endpoints=127.0.0.1:1",
        ],
        { env: { LD_PRELOAD: fewThreads, GW_TEST_THREADS: threads } },
      );
      expect(stderr).toMatch(/^gw: error: native relay: .*EAGAIN$/m);
      expect(code).toBe(1);
    }
  });
});
