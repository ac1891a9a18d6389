import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "@gw/testing";
import type { Subject } from "../contract.js";
import { versionOf } from "./version-of.js";

/** Where Debian and others install the module; elsewhere it is part of the program. */
const streamModule = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"]
  .map(folder => join(folder, "ngx_stream_module.so"))
  .find(existsSync);

/** nginx's stream module as an admin would run it for long-lived TCP connections. */
export const nginx: Subject = {
  name: "nginx",
  title: "nginx stream",
  setUp: "a worker for each core, 20,000 connections for each worker, 64 KiB buffers, no logs, long timeouts",
  version: () => versionOf("nginx", ["-v"], /nginx\/(\S+)/),
  async command({ listen, backend, folder }) {
    const file = join(folder, "nginx.conf");
    await writeFile(file, configuration(listen, backend, folder));
    // By its absolute path: nginx uses the path to start its workers.
    return [findProgram("nginx") ?? "nginx", "-e", join(folder, "error.log"), "-p", folder, "-c", file];
  },
};

function configuration(listen: string, backend: string, folder: string): string {
  return `
${streamModule ? `load_module ${streamModule};` : ""}
daemon off;
worker_processes auto;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log crit;
events {
  # Both sides of a connection count, so this is 10,000 clients; each slot costs 330 bytes from the start.
  worker_connections 20000;
}
stream {
  server {
    listen ${listen} backlog=4096;
    proxy_connect_timeout 5s;
    # Connections to etcd are idle for hours: watches, keep-alive.
    proxy_timeout 1d;
    # Four times the default: half the CPU time for bulk, and no more memory for idle connections.
    proxy_buffer_size 64k;
    proxy_pass ${backend};
  }
}
`;
}
