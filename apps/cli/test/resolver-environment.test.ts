import { missing, runGw, startDnsServer } from "@gw/testing";
import { expect, test } from "vitest";

test.skipIf(missing("knotd", "knotc"))(
  "LOCALDOMAIN and RES_OPTIONS are obeyed, and a domain that the server refuses does not end the search",
  async () => {
    await using dns = await startDnsServer({ zone: "_etcd-client-ssl._tcp.staging SRV 0 0 2379 infra0" });
    const { host, port } = dns.address;
    const flags = ["--discovery-srv=staging", `--dns-server=${host}:${port}`];
    // The server answers for example.com alone; the name as it is, and in example.org, it refuses.
    const env = { LOCALDOMAIN: "example.org example.com", RES_OPTIONS: "use-vc attempts:1" };
    const { stdout } = await runGw(["resolve", ...flags], { env });
    expect(stdout).toContain("infra0.example.com");
  },
);
