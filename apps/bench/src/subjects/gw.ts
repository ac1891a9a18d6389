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
    command: ({ listen, backend }) => [
      process.execPath,
      bin,
      "start",
      ...flags,
      `--endpoints=${backend}`,
      `--listen-addr=${listen}`,
    ],
  };
}

/** gw with its native relay and with the one in JavaScript. */
export const gwNative: Subject = gw("gw-native", "gw", ["--relay=native"]);
export const gwJs: Subject = gw("gw-js", "gw (js relay)", ["--relay=js"]);

/** What a second relay thread brings; it matters under load only. */
export const gwTwoThreads: Subject = {
  ...gw("gw-2-threads", "gw (2 threads)", ["--relay=native", "--relay-threads=2"]),
  measures: ["rr", "bulk"],
};

/** gw as it decides for itself. */
export const gwDefault: Subject = {
  ...gw("gw-default", "gw (defaults)", []),
  standsInFor: [gwNative.name, gwJs.name],
};
