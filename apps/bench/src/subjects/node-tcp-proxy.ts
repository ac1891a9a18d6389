import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Subject } from "../contract.js";

const require = createRequire(import.meta.url);
const folder = (): string => dirname(require.resolve("node-tcp-proxy"));

/** The npm package for the same purpose, by its own program. */
export const nodeTcpProxy: Subject = {
  name: "node-tcp-proxy",
  title: "node-tcp-proxy",
  setUp: "its own `tcpproxy`, quiet",
  async version() {
    const { version } = require("node-tcp-proxy/package.json") as { version: string };
    return `${version}, Node ${process.versions.node}`;
  },
  command({ listen, backends: [backend] }) {
    const [host, port] = listen.split(":");
    const [serviceHost, servicePort] = backend.split(":");
    return [
      process.execPath,
      join(folder(), "tcp-proxy-cli.js"),
      `--hostname=${host}`,
      `--proxyPort=${port}`,
      `--serviceHost=${serviceHost}`,
      `--servicePort=${servicePort}`,
      "-q",
    ];
  },
};
