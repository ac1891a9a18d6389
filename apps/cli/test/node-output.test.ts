// What Node itself writes does not get between the lines of the log, as far as that can be prevented.
import { startGw } from "@gw/testing";
import { expect, test } from "vitest";

test.each([
  [{ NODE_OPTIONS: "--trace-warnings --trace-deprecation" }],
  [{ NODE_OPTIONS: "--pending-deprecation --throw-deprecation" }],
  [{ NODE_OPTIONS: "--report-on-signal --report-signal=SIGUSR2" }],
  [{ NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
])("with %j each line of stderr is JSON, and stdout is empty", async env => {
  await using gw = await startGw(["--endpoints=127.0.0.1:1", "--health-check=off"], { env });
  gw.child.kill("SIGUSR1");
  await gw.logged(/signal ignored/);
  gw.child.kill("SIGTERM");
  const { stdout, stderr, code } = await gw.exit;
  expect({ stdout, code }).toEqual({ stdout: "", code: 0 });
  expect(stderr.split("\n").filter(line => line && !line.startsWith("{"))).toEqual([]);
});
