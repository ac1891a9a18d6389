import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Subject } from "../contract.js";
import { descriptorLimit } from "../machine.js";
import { versionOf } from "./version-of.js";

/** HAProxy as an admin would run it for long-lived TCP connections. */
export const haproxy: Subject = {
  name: "haproxy",
  title: "HAProxy",
  setUp:
    "mode tcp, a thread for each core, splicing both ways, no logs, long timeouts, as many connections as descriptors allow",
  version: () => versionOf("haproxy", ["-v"], /version (\S+)/i),
  async command({ listen, backend, folder }) {
    const file = join(folder, "haproxy.cfg");
    await writeFile(file, configuration(listen, backend, await descriptorLimit()));
    return ["haproxy", "-db", "-f", file];
  },
};

/** What it needs besides connections: two descriptors for each pipe, and some of its own. */
const pipes = 64;
const spare = 100;

function configuration(listen: string, backend: string, descriptors: number): string {
  return `
global
  # nbthread is left alone: it is the number of cores. By itself it would keep a fifth of the descriptors for pipes.
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
  server etcd ${backend}
`;
}
