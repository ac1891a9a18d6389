import { fileURLToPath } from "node:url";
import { runProgram } from "@gw/testing";
import { expect, test } from "vitest";

test("what is imported and made loads no part of Node for HTTP and TLS: that is for the first check", async () => {
  const index = fileURLToPath(new URL("../dist/index.js", import.meta.url));
  const script = `
    const loaded = () => process.moduleLoadList.filter(name => /_http_client|tls_wrap|_tls_wrap/.test(name)).length;
    const { autoProbe, checkHealth } = await import(${JSON.stringify(index)});
    const probe = autoProbe();
    const checks = checkHealth({ probe, pool: { inspect: () => [], report() {} } });
    console.log("made", loaded());
    await probe({ host: "127.0.0.1", port: 1, priority: 0, weight: 0 }, new AbortController().signal);
    console.log("used", loaded() > 0);
    checks.close();`;
  const { stdout, stderr } = await runProgram(process.execPath, ["--input-type=module", "--eval", script]);
  expect({ stdout, stderr }).toEqual({ stdout: "made 0\nused true\n", stderr: "" });
});
