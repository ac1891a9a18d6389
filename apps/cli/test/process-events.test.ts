// What a careless operator, logrotate or Node itself does to the process.

import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectTo, echo, freePort, outcome, startBackend, startGw, startProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;
const careless = ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPIPE"] as const;
const here = process.platform === "linux" ? ([...careless, "SIGPWR", "SIGSTKFLT"] as const) : careless;

/** Node's message when it opens its debugger, or cannot. */
const debuggerOpened = /debugger|inspector/i;

test("signals that ask for nothing do not end a gateway, nor open a debugger, and are logged once", async () => {
  await using backend = await startBackend(echo);
  await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`]);
  for (const signal of [...here, ...here]) gw.kill(signal);
  for (const signal of here.filter(name => name !== "SIGPIPE"))
    await gw.printed(new RegExp(`"signal":"${signal}","msg":"signal ignored"`));
  const client = await connectTo(gw.port);
  client.end("served");
  expect(await outcome(client)).toMatchObject({ received: Buffer.from("served") });
  gw.kill();
  expect(await gw.exit).toMatchObject({ code: 0 });
  expect(gw.output).not.toMatch(debuggerOpened);
  expect(gw.log.filter(({ msg }) => msg === "signal ignored")).toHaveLength(here.length - 1);
});

test.each([
  ["demo --stand-in --listen-addr=127.0.0.1:0 --every=1h", /Ctrl-C ends everything/],
  ["resolve --watch --json --endpoints=127.0.0.1:1", /"endpoint":"127\.0\.0\.1:1"/],
])("gw %s is not ended by them either, and ends with the terminal", async (args, up) => {
  await using gw = startProgram(process.execPath, [bin, ...args.split(" ")]);
  await gw.printed(up);
  for (const signal of here) gw.kill(signal);
  gw.kill("SIGHUP");
  expect(await gw.exit).toMatchObject({ code: 0, signal: null });
  expect(gw.output).not.toMatch(debuggerOpened);
});

describe.skipIf(process.platform !== "linux")("from the first line of the program on", () => {
  /** Whether the process `pid` handles SIGHUP by now (proc(5), SigCgt). */
  function handlesHangup(pid: number): boolean {
    const caught = /SigCgt:\s*([0-9a-f]+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
    return (BigInt(`0x${caught}`) & 1n) === 1n;
  }

  test("SIGHUP during the start is remembered, and acted on when the gateway serves", async () => {
    await using folder = await temporary();
    const file = join(folder.path, "endpoints.json");
    await writeFile(file, '["127.0.0.1:1"]');
    await using gw = startProgram(process.execPath, [
      bin,
      `--endpoints-file=${file}`,
      "--listen-addr=127.0.0.1:0",
      "--log-format=json",
    ]);
    while (!handlesHangup(gw.pid)) await new Promise(setImmediate);
    gw.kill("SIGHUP");
    await gw.printed(/reloading/);
    await gw.printed(/ready to proxy/);
    gw.kill();
    expect(await gw.exit).toMatchObject({ code: 0 });
  });
});

test("warnings of Node are lines of the log", async () => {
  await using folder = await temporary();
  const selector = join(folder.path, "selector.mjs");
  await writeFile(
    selector,
    `export default () => ({ pick([first]) {
       process.emitWarning("made\\nup", { type: "DeprecationWarning", code: "DEP0" });
       return first;
     } });`,
  );
  await using backend = await startBackend(echo);
  await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, `--selector=${selector}`]);
  (await connectTo(gw.port)).destroy();
  expect(await gw.logged(/^warning$/)).toMatchObject({
    level: "warn",
    warning: "DeprecationWarning",
    reason: "made up",
    stack: expect.stringContaining("selector.mjs"),
  });
  for (const line of gw.output.trim().split("\n")) expect(line).toMatch(/^\{.*\}$/);
});

test.each([
  ["info", undefined],
  ["debug", expect.stringContaining("selector.mjs")],
])("an uncaught error is one line at %s, and ends the process", async (level, stack) => {
  await using folder = await temporary();
  const selector = join(folder.path, "selector.mjs");
  await writeFile(
    selector,
    `export default () => ({ pick([first]) { setImmediate(() => { throw new Error("no\\nluck"); }); return first; } });`,
  );
  const port = await freePort();
  const args = [`--listen-addr=127.0.0.1:${port}`, "--endpoints=127.0.0.1:1", `--selector=${selector}`];
  await using gw = startProgram(process.execPath, [
    bin,
    ...args,
    `--log-level=${level}`,
    "--log-format=json",
  ]);
  await gw.printed(/ready to proxy/);
  (await connectTo(port)).destroy();
  const { code, stderr } = await gw.exit;
  expect(code).toBe(1);
  const lines = stderr.trim().split("\n");
  const last = JSON.parse(lines.find(line => line.includes("fatal error")) ?? "{}");
  expect(last).toMatchObject({ level: "error", reason: "no luck" });
  expect(lines.filter(line => !line.startsWith("{"))).toEqual([]);
  expect(last.stack).toEqual(stack);
});

async function temporary(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "gw-process-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
