import type { Subject } from "../contract.js";
import { versionOf } from "./version-of.js";

/** What gw replaces. */
export const etcdGateway: Subject = {
  name: "etcd-gateway",
  title: "etcd gateway",
  setUp: "`etcd gateway start`, which has no settings that matter here",
  version: () => versionOf(["etcd", "--version"], /etcd Version: (\S+)/),
  command: ({ listen, backends }) => [
    "etcd",
    "gateway",
    "start",
    // One flag for each: a single argument may have no more than 128 KiB.
    ...backends.map(backend => `--endpoints=${backend}`),
    `--listen-addr=${listen}`,
  ],
};
