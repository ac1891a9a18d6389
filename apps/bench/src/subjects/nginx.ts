import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "@gw/testing";
import type { Route, Subject } from "../contract.js";
import { unpacked } from "./unpacked.js";
import { versionOf } from "./version-of.js";

const modulePath = "usr/lib/nginx/modules/ngx_stream_module.so";

/** nginx's stream module as an admin would run it for long-lived TCP connections. */
export const nginx: Subject = nginxRunBy("nginx", () => {
  // Where Debian and others install the module; elsewhere it is part of the program.
  const modules = [modulePath, modulePath.replace("lib", "lib64")].map(path => join("/", path));
  // By its absolute path: nginx uses the path to start its workers.
  return { command: [findProgram("nginx") ?? "nginx"], module: modules.find(existsSync) };
});

/** That of Debian 13, on systems that have an older one. */
export const nginx126: Subject = {
  ...nginxRunBy("nginx-1.26", () => {
    const { command, root } = unpacked("nginx-1.26", "usr/sbin/nginx");
    return { command, module: join(root, modulePath) };
  }),
  setUp: "the same configuration; unpacked from Debian 13 with its libraries",
};

/** How to run a version of nginx, and its stream module if that is not built in. */
interface Installation {
  readonly command: readonly string[];
  readonly module: string | undefined;
}

function nginxRunBy(name: string, find: () => Installation): Subject {
  return {
    name,
    title: "nginx stream",
    titledByRelease: true,
    setUp:
      "a worker for each core, 20,000 connections for each worker, 64 KiB buffers, no logs, long timeouts",
    version: async () => versionOf([...find().command, "-v"], /nginx\/(\S+)/),
    async command(route) {
      const { command, module } = find();
      const file = join(route.folder, "nginx.conf");
      await writeFile(file, configuration(route, module));
      return [...command, "-e", join(route.folder, "error.log"), "-p", route.folder, "-c", file];
    },
  };
}

function configuration({ listen, backends: [backend], folder }: Route, module: string | undefined): string {
  return `
${module ? `load_module ${module};` : ""}
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
