import type { Subject } from "../contract.js";
import { versionOf } from "./version-of.js";

/** What gw replaces. */
export const etcdGateway: Subject = {
  name: "etcd-gateway",
  title: "etcd gateway",
  setUp: "`etcd gateway start`, which has no settings that matter here",
  version: () => versionOf("etcd", ["--version"], /etcd Version: (\S+)/),
  command: ({ listen, backend }) => [
    "etcd",
    "gateway",
    "start",
    `--endpoints=${backend}`,
    `--listen-addr=${listen}`,
  ],
};
