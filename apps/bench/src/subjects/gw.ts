import { fileURLToPath } from "node:url";
import { runProgram } from "@gw/testing";
import type { Subject } from "../contract.js";

const bin = fileURLToPath(new URL("../../../cli/bin/gw.js", import.meta.url));

/** gw with the flags of a variant, as it is built. */
function gw(name: string, title: string, flags: readonly string[]): Subject {
  return {
    name,
    title,
    setUp: `\`gw start ${flags.join(" ")}\``.replace(" `", "`"),
    async version() {
      const { code, stdout, stderr } = await runProgram(process.execPath, [bin, "--version"]);
      if (code !== 0) throw new Error(`gw is not built: ${stderr}`);
      return `${stdout.trim()}, Node ${process.versions.node}`;
    },
    command: ({ listen, backends, threads, inTurn }) => [
      process.execPath,
      bin,
      "start",
      ...flags,
      ...(threads ? [`--relay-threads=${threads}`] : []),
      // One flag for each: a single argument may have no more than 128 KiB.
      ...backends.map(backend => `--endpoints=${backend}`),
      ...(inTurn ? ["--selector=round-robin", "--health-check=off"] : []),
      `--listen-addr=${listen}`,
    ],
  };
}

/** gw with its native relay and with the one in JavaScript. */
export const gwNative: Subject = gw("gw-native", "gw", ["--relay=native"]);
export const gwJs: Subject = gw("gw-js", "gw (js relay)", ["--relay=js"]);

/** What a single relay thread does in place of one for each core; it matters under load only. */
export const gwOneThread: Subject = {
  ...gw("gw-1-thread", "gw (1 thread)", ["--relay=native", "--relay-threads=1"]),
  measures: ["rr", "bulk"],
};

/** gw that is watched, to compare with {@link gwNative}: what its admin server and its access log cost. */
export const gwAdmin: Subject = {
  ...gw("gw-admin", "gw (admin)", ["--relay=native", "--admin-addr=unix:admin.sock"]),
  metricsSocket: "admin.sock",
  measures: ["rr", "bulk", "connect"],
  standsInFor: [gwNative.name],
};
export const gwAccessLog: Subject = {
  ...gw("gw-access-log", "gw (access log)", ["--relay=native", "--access-log=access.log"]),
  measures: ["connect"],
  standsInFor: [gwNative.name],
};

/** gw as it decides for itself. */
export const gwDefault: Subject = {
  ...gw("gw-default", "gw (defaults)", []),
  standsInFor: [gwNative.name, gwJs.name],
};
