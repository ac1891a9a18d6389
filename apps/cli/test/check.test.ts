import {
  type CertificateAuthority,
  createAuthority,
  type EtcdCluster,
  type EtcdMember,
  echo,
  etcdctl,
  missing,
  type Outcome,
  runGw,
  startBackend,
  startBlackHole,
  startEtcd,
  startProgram,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckReport } from "../src/commands/check-report.js";

interface Checked extends Outcome {
  readonly report: CheckReport;
}

/** Runs `gw check --json`, and reads what it prints. */
async function check(...args: readonly string[]): Promise<Checked> {
  const outcome = await runGw(["check", "--json", ...args]);
  return { ...outcome, report: JSON.parse(outcome.stdout) };
}

function saying({ report }: Checked, severity: string): readonly string[] {
  return report.findings.filter(one => one.severity === severity).map(({ message }) => message);
}

describe.skipIf(missing("etcd", "etcdctl"))("gw check, in front of real etcds", () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await startEtcd(3);
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  test("prints members and roles, as etcdctl does, and that all endpoints can serve", async () => {
    const checked = await check(`--endpoints=${cluster.endpoints}`);
    expect(checked).toMatchObject({ code: 0, stderr: "", report: { good: true, findings: [] } });
    const { stdout } = await etcdctl(cluster.endpoints, "endpoint", "status", "--write-out=json");
    const statuses: { Endpoint: string; Status: { header: { cluster_id: number; member_id: number } } }[] =
      JSON.parse(
        // The ids are larger than the numbers that JSON.parse can distinguish.
        stdout.replace(/"(cluster_id|member_id|leader)":(\d+)/g, '"$1":"$2"'),
      );
    for (const { Endpoint, Status } of statuses) {
      const { cluster_id, member_id } = Status.header;
      const { member, ...rest } =
        checked.report.endpoints.find(({ endpoint }) => endpoint === Endpoint) ?? {};
      expect(rest).toMatchObject({ usable: true, secure: false, health: { check: "etcd /health" } });
      expect(member).toMatchObject({
        version: expect.stringMatching(/^3\.\d+\.\d+$/),
        clusterId: BigInt(cluster_id).toString(16),
        memberId: BigInt(member_id).toString(16),
        learner: false,
        alarms: [],
      });
    }
    const leaders = checked.report.endpoints.filter(({ member }) => member?.leaderId === member?.memberId);
    expect(leaders).toHaveLength(1);
  });

  test("prints a table for people", async () => {
    const { code, stdout } = await runGw(["check", `--endpoints=${cluster.endpoints}`]);
    expect(code).toBe(0);
    const [titles, ...rows] = stdout.split("\n\n")[0]?.split("\n") ?? [];
    expect(titles).toMatch(/^ENDPOINT +CONNECT +HEALTH +CERTIFICATE +ETCD +MEMBER +ROLE$/);
    expect(rows).toHaveLength(3);
    for (const row of rows)
      expect(row).toMatch(
        /^127\.0\.0\.1:\d+ +[\d.]+ ms +etcd \/health +no TLS +3\.\S+ +[0-9a-f]{1,16} +(?:leader|follower)$/,
      );
    expect(stdout).toMatch(/^cluster [0-9a-f]+: 3 of the endpoints\nall endpoints can serve\n$/m);
  });

  test("reports endpoints of different clusters, which a proxy would hide", async () => {
    await using other = await startEtcd(1);
    const checked = await check(`--endpoints=${cluster.endpoints},${other.endpoints}`);
    expect(checked).toMatchObject({ code: 1, stderr: "gw: error: the endpoints do not belong together\n" });
    expect(checked.report.endpoints.every(({ usable }) => usable)).toBe(true);
    expect(saying(checked, "error")).toEqual([
      expect.stringMatching(new RegExp(`2 different clusters.*: ${other.endpoints}\\)$`)),
    ]);
  });

  test("reports two endpoints of one member", async () => {
    const [first] = cluster.members as [EtcdMember];
    const port = first.endpoint.split(":")[1];
    const checked = await check(`--endpoints=${first.endpoint},127.0.0.2:${port},localhost:${port}`);
    expect(saying(checked, "warning")).toEqual([
      expect.stringMatching(new RegExp(`${first.endpoint} and localhost:${port} are one member, [0-9a-f]+$`)),
    ]);
  });

  test("a member that hangs costs no more than the timeout, and is named", async () => {
    const [first] = cluster.members as [EtcdMember];
    await first.pause();
    try {
      await cluster.settledWithout(first);
      const checked = await check(`--endpoints=${cluster.endpoints}`, "--health-timeout=2s");
      expect(checked).toMatchObject({ code: 1, stderr: "gw: error: 1 of 3 endpoints cannot serve\n" });
      const hung = checked.report.endpoints.find(({ endpoint }) => endpoint === first.endpoint);
      expect(hung).toMatchObject({ usable: false, addresses: [{ connectMs: expect.any(Number) }] });
      expect(saying(checked, "error")).toEqual([
        `${first.endpoint} cannot serve: probe ${first.endpoint}: no answer within 2000 ms`,
      ]);
    } finally {
      first.resume();
    }
  });

  test("a learner cannot serve, and what authentication hides is not known", async () => {
    await using own = await startEtcd(1);
    const learner = await own.add({ learner: true });
    const checked = await check(`--endpoints=${own.endpoints}`);
    expect(checked.code).toBe(1);
    expect(saying(checked, "error")).toEqual([
      expect.stringMatching(new RegExp(`^${learner.endpoint} cannot serve: .*it is a learner`)),
    ]);
    await own.remove(learner).catch(() => {});
    for (const args of [
      ["user", "add", "root:secret"],
      ["user", "grant-role", "root", "root"],
      ["auth", "enable"],
    ])
      await etcdctl(own.members[0]?.endpoint ?? "", ...args);
    const closed = await check(`--endpoints=${own.members[0]?.endpoint}`);
    expect(closed.report.endpoints[0]?.member?.version).toMatch(/^3\./);
  });

  test("is ended at once by Ctrl-C, whatever it waits for", async () => {
    await using hole = await startBlackHole();
    const bin = new URL("../bin/gw.js", import.meta.url).pathname;
    const args = [bin, "check", `--endpoints=127.0.0.1:${hole.port}`, "--connect-timeout=1h"];
    await using program = startProgram(process.execPath, args, { env: { NODE_DEBUG: "net" } });
    await program.printed(/connect/);
    program.kill("SIGINT");
    expect(await program.exit).toMatchObject({ code: 0, stdout: "" });
  });
});

describe.skipIf(missing("etcd", "openssl"))("gw check, over TLS", () => {
  let ca: CertificateAuthority;
  let other: CertificateAuthority;
  beforeAll(async () => {
    [ca, other] = await Promise.all([createAuthority(), createAuthority("another CA")]);
  });
  afterAll(async () => {
    await ca?.[Symbol.asyncDispose]();
    await other?.[Symbol.asyncDispose]();
  });

  test("reports when certificates expire, and which are not trusted", async () => {
    const { certFile, keyFile } = await ca.issue();
    await using cluster = await startEtcd(1, { tls: { certFile, keyFile } });
    for (const endpoints of [cluster.endpoints, `https://${cluster.endpoints}`]) {
      const checked = await check(`--endpoints=${endpoints}`);
      expect(checked).toMatchObject({ code: 0, report: { endpoints: [{ secure: true, usable: true }] } });
      expect(saying(checked, "warning")).toEqual([
        expect.stringMatching(/its certificate expires in \d+ days/),
      ]);
    }
    const secure = `--endpoints=https://${cluster.endpoints}`;
    expect(await check(secure, `--trusted-ca-file=${ca.certFile}`)).toMatchObject({ code: 0 });
    const refused = await check(secure, `--trusted-ca-file=${other.certFile}`);
    expect(refused.code).toBe(1);
    expect(saying(refused, "error")).toEqual([
      expect.stringMatching(/the CA that issued its certificate, .* is not trusted/),
    ]);
  });

  test("reports that a client certificate is demanded, and uses one", async () => {
    const { certFile, keyFile } = await ca.issue();
    await using cluster = await startEtcd(1, { tls: { certFile, keyFile, clientCaFile: ca.certFile } });
    const endpoints = `--endpoints=https://${cluster.endpoints}`;
    const without = await check(endpoints);
    // Clients have certificates of their own: that gw has none says nothing about the endpoint.
    expect(without).toMatchObject({
      code: 0,
      report: { endpoints: [{ usable: true, health: { check: "tls" } }] },
    });
    expect(saying(without, "warning")).toEqual([expect.stringMatching(/requires a client certificate/)]);
    const files = [`--cert-file=${certFile}`, `--key-file=${keyFile}`];
    expect(await check(endpoints, ...files)).toMatchObject({
      code: 0,
      report: { endpoints: [{ health: { check: "etcd /health" }, member: { alarms: [] } }] },
    });
  });

  test("an expired certificate", async () => {
    const day = 86_400_000;
    const [notBefore, notAfter] = [new Date(Date.now() - 2 * day), new Date(Date.now() - day)];
    const { certFile, keyFile } = await ca.issue({ notBefore, notAfter });
    await using cluster = await startEtcd(1, { tls: { certFile, keyFile } });
    const checked = await check(
      `--endpoints=https://${cluster.endpoints}`,
      `--trusted-ca-file=${ca.certFile}`,
    );
    expect(checked.code).toBe(1);
    expect(saying(checked, "error")).toEqual([expect.stringMatching(/its certificate has expired/)]);
    const unverified = await check(`--endpoints=https://${cluster.endpoints}`);
    expect(saying(unverified, "warning")).toEqual([expect.stringMatching(/its certificate has expired/)]);
  });
});

describe("gw check, in front of what is no etcd", () => {
  test("reports on a server that is not etcd, a closed port and an unknown name", async () => {
    await using backend = await startBackend(echo);
    const checked = await check(`--endpoints=127.0.0.1:${backend.port},127.0.0.1:1,nowhere.invalid`);
    expect(checked).toMatchObject({
      code: 1,
      stderr: "gw: error: 2 of 3 endpoints cannot serve\n",
      report: {
        good: false,
        endpoints: [
          { usable: true, health: { check: "tcp" }, memberError: expect.any(String) },
          { usable: false, addresses: [{ address: "127.0.0.1", error: expect.stringContaining("refused") }] },
          { usable: false, addresses: [{ address: "nowhere.invalid" }] },
        ],
      },
    });
  });

  test("escapes the texts of servers", async () => {
    await using backend = await startBackend(socket =>
      socket.once("data", () => {
        const body = JSON.stringify({ etcdserver: "3.5.0\u001b[2J", etcdcluster: "3.5.0" });
        socket.end(`HTTP/1.1 200 \u001b[2J\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      }),
    );
    const { stdout, stderr } = await runGw(["check", `--endpoints=127.0.0.1:${backend.port}`]);
    expect(stdout + stderr).not.toMatch(/[^\n\P{Cc}]/u);
  });

  test.each([
    [["--no-such-flag"], /unknown option '--no-such-flag'/],
    [["--endpoints=a:b"], /port "b" is not a number/],
    [["--health-check=off", "--health-path=/x"], /--health-path does nothing with --health-check off/],
    [["--listen-addr=127.0.0.1:1"], /unknown option '--listen-addr/],
    [["--trusted-ca-file=/nowhere"], /--trusted-ca-file "\/nowhere" cannot be read/],
  ])("%j is bad usage: one line, exit code 2", async (args, says) => {
    const outcome = await runGw(["check", ...args]);
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toMatch(says);
    expect(outcome.stderr).toMatch(/^gw: error: [^\n]+\n$/);
  });
});
