import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Route, Subject } from "../contract.js";
import { descriptorLimit } from "../machine.js";
import { unpacked } from "./unpacked.js";
import { versionOf } from "./version-of.js";

/** HAProxy as an admin would run it for long-lived TCP connections. */
export const haproxy: Subject = haproxyRunBy("haproxy", () => ["haproxy"]);

/** That of Debian 13, on systems that have an older one. */
export const haproxy30: Subject = {
  ...haproxyRunBy("haproxy-3.0", () => unpacked("haproxy-3.0", "usr/sbin/haproxy").command),
  setUp: "the same configuration; unpacked from Debian 13 with its libraries",
};

/** For measures that compare with HAProxy: the newest one first. */
export const haproxies: readonly string[] = [haproxy30.name, haproxy.name];

function haproxyRunBy(name: string, command: () => readonly string[]): Subject {
  return {
    name,
    title: "HAProxy",
    titledByRelease: true,
    setUp:
      "mode tcp, a thread for each core, splicing both ways, no logs, long timeouts, as many connections as descriptors allow",
    version: async () => versionOf([...command(), "-v"], /version (\S+)/i),
    async command(route) {
      const file = join(route.folder, "haproxy.cfg");
      await writeFile(file, configuration(route, descriptorLimit()));
      return [...command(), "-db", "-f", file];
    },
  };
}

/** What it needs besides connections: two descriptors for each pipe, and some of its own. */
const pipes = 64;
const spare = 100;

function configuration({ listen, backends, threads }: Route, descriptors: number): string {
  return `
global
  # By itself it has a thread for each core, and keeps a fifth of the descriptors for pipes.
  ${threads ? `nbthread ${threads}` : ""}
  maxpipes ${pipes}
  maxconn ${Math.floor((descriptors - 2 * pipes - spare) / 2)}
defaults
  mode tcp
  timeout connect 5s
  # Connections to etcd are idle for hours: watches, keep-alive.
  timeout client 1d
  timeout server 1d
  # A third of the CPU time for bulk; splice-auto hardly ever does it.
  option splice-request
  option splice-response
frontend clients
  bind ${listen} backlog 4096
  default_backend etcd
backend etcd
${backends.map((backend, n) => `  server etcd${n} ${backend}`).join("\n")}
`;
}
