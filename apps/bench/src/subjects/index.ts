import type { Subject } from "../contract.js";
import { etcdGateway } from "./etcd-gateway.js";
import { gwAccessLog, gwAdmin, gwDefault, gwJs, gwNative, gwOneThread } from "./gw.js";
import { haproxy, haproxy30 } from "./haproxy.js";
import { nginx, nginx126 } from "./nginx.js";
import { nodeTcpProxy } from "./node-tcp-proxy.js";
import { pipe } from "./pipe.js";

/** No proxy: what the load program and its backend can do on this machine. */
const direct: Subject = {
  name: "direct",
  title: "direct",
  setUp: "no proxy: the limit of the load program, its backend and the machine",
  measures: ["rr", "bulk", "connect", "growth", "put"],
  version: async () => "",
  command: () => undefined,
};

/** All subjects, in the order of tables and charts. */
export const subjects: readonly Subject[] = [
  gwNative,
  gwOneThread,
  gwAdmin,
  gwAccessLog,
  gwJs,
  gwDefault,
  etcdGateway,
  haproxy,
  haproxy30,
  nginx,
  nginx126,
  nodeTcpProxy,
  pipe,
  direct,
];
