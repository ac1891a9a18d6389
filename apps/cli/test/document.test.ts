// The examples of etcd's page on its gateway, on a machine of their own whose resolver answers as the page says.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, noNetworks, startProgram } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;

const hosts = ["infra0", "infra1", "infra2"].map(name => `${name}.example.com`);
const records = hosts.flatMap((host, index) => [
  `--host-record=${host},10.0.1.1${index}`,
  `--srv-host=_etcd-client._tcp.example.com,${host},2379`,
]);

/** Three endpoints that send back what they get, a DNS server, then the gateway and one client of it. */
const script = `
  ip link set lo up
  for last in 10 11 12; do ip address add 10.0.1.$last/32 dev lo; done
  mount --bind "$RESOLV_CONF" /etc/resolv.conf
  dnsmasq --no-daemon --conf-file=/dev/null --user=root --no-resolv --no-hosts --local=/example.com/ ${records.join(" ")} &
  socat TCP-LISTEN:2379,fork,reuseaddr EXEC:cat &
  while ! socat -u /dev/null UDP:127.0.0.1:53; do :; done
  "$@" &
  until echo served | socat -t 5 - TCP:127.0.0.1:23790; do sleep 0.1; done
  wait`;

describe.skipIf(noNetworks() || missing("unshare", "dnsmasq", "socat"))("the document's examples", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-document-"));
    await writeFile(join(folder, "resolv.conf"), "nameserver 127.0.0.1\n");
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function run(args: readonly string[]): Promise<string> {
    const gw = [process.execPath, bin, ...args];
    await using machine = startProgram("unshare", ["-n", "-m", "sh", "-c", script, "sh", ...gw], {
      env: { RESOLV_CONF: join(folder, "resolv.conf") },
      detached: true,
    });
    await machine.printed(/ready to proxy client requests/);
    await machine.printed(/^served$/m);
    return machine.output;
  }

  test.each([
    [["start", `--endpoints=${hosts.join(",")}`]],
    [["gateway", "start", `--endpoints=${hosts.join(",")}`]],
  ])("gw %j serves", async args => {
    const output = await run(args);
    for (const host of hosts) expect(output).toContain(`"${host}:2379"`);
  });

  test.each([[["--discovery-srv=example.com"]], [["gateway", "--discovery-srv=example.com"]]])(
    "gw %j serves, with one warning that the records are not secured",
    async args => {
      const output = await run(args);
      for (const host of hosts) expect(output).toContain(`"${host}:2379"`);
      const warnings = output.split("\n").filter(line => line.startsWith('{"level":"warn"'));
      expect(warnings).toEqual([expect.stringContaining("any host on the network could have sent them")]);
    },
  );
});
