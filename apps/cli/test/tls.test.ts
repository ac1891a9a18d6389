import {
  type CertificateAuthority,
  createAuthority,
  type EtcdCluster,
  etcdctl,
  missing,
  runGw,
  startEtcd,
  startGw,
  startProgram,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

describe.skipIf(missing("openssl", "etcd", "etcdctl"))(
  "in front of a TLS cluster that demands client certificates",
  () => {
    let ca: CertificateAuthority;
    let other: CertificateAuthority;
    let cluster: EtcdCluster;
    let endpoints: string;
    let client: string[];
    let etcdctlTls: string[];

    beforeAll(async () => {
      [ca, other] = await Promise.all([createAuthority(), createAuthority("another authority")]);
      const server = await ca.issue();
      const user = await ca.issue({ usage: "client", commonName: "root" });
      cluster = await startEtcd(1, {
        tls: { certFile: server.certFile, keyFile: server.keyFile, clientCaFile: ca.certFile },
      });
      endpoints = cluster.members.map(({ endpoint }) => `https://${endpoint}`).join(",");
      client = [`--cert-file=${user.certFile}`, `--key-file=${user.keyFile}`];
      etcdctlTls = [`--cacert=${ca.certFile}`, `--cert=${user.certFile}`, `--key=${user.keyFile}`];
    });
    afterAll(async () => {
      await cluster?.[Symbol.asyncDispose]();
      await ca?.[Symbol.asyncDispose]();
      await other?.[Symbol.asyncDispose]();
    });

    test("the gateway validates the members, and passes TLS through untouched", async () => {
      await using gw = await startGw([
        `--endpoints=${endpoints}`,
        `--trusted-ca-file=${ca.certFile}`,
        ...client,
      ]);
      expect(await gw.logged(/ready/)).toMatchObject({
        endpoints: cluster.members.map(({ endpoint }) => endpoint),
      });
      const put = await etcdctl(gw.address, "put", "k", "v", ...etcdctlTls);
      expect(put).toMatchObject({ code: 0, stdout: "OK\n" });
      // A client without the certificate is refused by etcd, not by the gateway.
      const withoutCertificate = await etcdctl(
        gw.address,
        "get",
        "k",
        `--cacert=${ca.certFile}`,
        "--command-timeout=2s",
      );
      expect(withoutCertificate.code).not.toBe(0);
    });

    test("members of another CA are rejected: the start waits, logs why, and can be stopped", async () => {
      const bin = new URL("../bin/gw.js", import.meta.url).pathname;
      const flags = [
        `--endpoints=${endpoints}`,
        `--trusted-ca-file=${other.certFile}`,
        "--listen-addr=127.0.0.1:0",
      ];
      await using gw = startProgram(process.execPath, [bin, "--log-format=json", ...flags, ...client]);
      await gw.printed(/"level":"error"[^\n]*discovery failed/);
      expect(gw.output).toContain("endpoint rejected");
      expect(gw.output).not.toContain("ready to proxy");
      gw.kill();
      expect(await gw.exit).toMatchObject({ code: 0 });
    });

    test("gw resolve prints the result of each validation", async () => {
      const resolve = (ca: CertificateAuthority, ...flags: string[]) =>
        runGw([
          "resolve",
          "--json",
          `--endpoints=${endpoints}`,
          `--trusted-ca-file=${ca.certFile}`,
          ...flags,
        ]);
      const good = await resolve(ca, ...client);
      expect(good.code).toBe(0);
      expect(JSON.parse(good.stdout).endpoints).toMatchObject([{ certificate: "ok", usable: true }]);
      const bad = await resolve(other, ...client);
      expect(bad.code).toBe(1);
      expect(JSON.parse(bad.stdout).endpoints).toMatchObject([{ usable: false }]);
      const withoutCertificate = await resolve(ca);
      expect(withoutCertificate.code).toBe(1);
      expect(JSON.parse(withoutCertificate.stdout).endpoints[0].certificate).toMatch(/certificate/);
    });

    test("a CA with nothing to check is bad usage", async () => {
      const result = await runGw(["--endpoints=127.0.0.1:1", `--trusted-ca-file=${ca.certFile}`]);
      expect(result).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^gw: error: --trusted-ca-file "[^\n]*" has nothing to check[^\n]*\n$/),
      });
    });

    test("a certificate without its key, and a key that is another's, are bad usage", async () => {
      const other = await ca.issue({ usage: "client" });
      const mixed = [client[0] ?? "", `--key-file=${other.keyFile}`];
      const result = await runGw([`--endpoints=${endpoints}`, `--trusted-ca-file=${ca.certFile}`, ...mixed]);
      expect(result).toMatchObject({ code: 2, stderr: expect.stringMatching(/^gw: error: [^\n]+\n$/) });
    });
  },
);
