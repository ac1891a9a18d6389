import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { missing, type Program, type ProgramOptions, runGw, runProgram, startProgram } from "@gw/testing";
import { describe, expect, test, vi } from "vitest";

const bin = fileURLToPath(new URL("../bin/gw.js", import.meta.url));

/** A demo that listens on a free port, whose members stay up for an hour unless the arguments change that. */
function launch(args: readonly string[], options: ProgramOptions = {}): Program {
  return startProgram(process.execPath, [bin, "demo", "--listen-addr=127.0.0.1:0", "--every=1h", ...args], {
    // As at a terminal: a process group of its own, all of which gets the signal of Ctrl-C.
    detached: true,
    ...options,
  });
}

/** The address of the gateway of a demo, once it is up and has sent a request of its own. */
async function gatewayOf(demo: Program): Promise<string> {
  await demo.printed(/demo: requests go to member \d\n/);
  const [, address = ""] = await demo.printed(/gateway +(\S+:\d+)\n/);
  return address;
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

async function call(address: string, path: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(`http://${address}${path}`, { ...init, headers: { connection: "close" } });
  return { status: response.status, body: await response.text() };
}

function post(address: string, path: string, body: unknown): Promise<Reply> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return call(address, path, { method: "POST", body: text });
}

/** The printed command that contains `part`. */
function printedCommand(demo: Program, part: string): string {
  const found = demo.output.split("\n").find(line => /^ {2}[^#]/.test(line) && line.includes(part));
  if (!found) throw new Error(`no command with ${part} in:\n${demo.output}`);
  return found.trim();
}

/** What `command` prints. A member may be stopped in the midst of it, so it is tried until it succeeds. */
function shell(command: string): Promise<string> {
  const attempt = async (): Promise<string> => {
    const { stdout, stderr, code } = await runProgram("sh", ["-c", command]);
    if (code !== 0) throw new Error(`${command}: ${stderr}`);
    return stdout;
  };
  return vi.waitFor(attempt, 30_000);
}

/** An empty folder that goes with the test. */
async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "gw-test-demo-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Waits until the member in use was stopped, another took over, and the first is back. */
async function oneSwitch(demo: Program): Promise<void> {
  const [, stopped] = await demo.printed(/demo: stopping (member \d), which is in use\n/);
  const [, taker] = await demo.printed(/demo: requests now go to (member \d)\n/);
  expect(taker).not.toBe(stopped);
  await demo.printed(new RegExp(`demo: ${stopped} is back\n`));
}

describe("with stand-ins", () => {
  test.skipIf(missing("curl"))("the commands work as they are printed", async () => {
    await using demo = launch(["--stand-in"]);
    await gatewayOf(demo);
    expect(demo.output).toContain("Three stand-ins for etcd: one store in memory");
    await shell(printedCommand(demo, "/v3/kv/put"));
    const answer = JSON.parse(await shell(printedCommand(demo, "/v3/kv/range")));
    expect(answer).toMatchObject({ kvs: [{ key: "Zm9v", value: "YmFy" }], count: "1" });
  });

  test("the member in use is stopped, others take over, and what was put is still there", async () => {
    await using demo = launch(["--stand-in", "--every=2s"]);
    const address = await gatewayOf(demo);
    await post(address, "/v3/kv/put", { key: "Zm9v", value: "YmFy" });
    await demo.printed(/demo: requests now go to member \d\n/);
    const { body } = await post(address, "/v3/kv/range", { key: "Zm9v" });
    expect(JSON.parse(body)).toMatchObject({ kvs: [{ value: "YmFy" }] });
    await oneSwitch(demo);
    expect(demo.output).not.toContain("got no answer");
  });

  test("requests that are none of etcd's get HTTP's errors", async () => {
    await using demo = launch(["--stand-in"]);
    const address = await gatewayOf(demo);
    expect(await call(address, "/readyz")).toEqual({ status: 200, body: "ok" });
    expect(await call(address, "/v3/kv/range")).toMatchObject({ status: 405 });
    expect(await call(address, "/version", { method: "POST" })).toMatchObject({ status: 405 });
    expect(await call(address, "/constructor")).toMatchObject({ status: 404 });
    const value = "A".repeat(2 * 1024 * 1024);
    expect(await post(address, "/v3/kv/put", { key: "Zm9v", value })).toMatchObject({ status: 413 });
  });

  test("Ctrl-C ends it with status 0, and the port is free", async () => {
    await using demo = launch(["--stand-in"]);
    const address = await gatewayOf(demo);
    demo.kill("SIGINT");
    expect(await demo.exit).toMatchObject({ code: 0, stdout: expect.stringMatching(/is stopped\n$/) });
    await expect(call(address, "/version")).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });

  test("it ends when its output is closed", async () => {
    await using demo = launch(["--stand-in", "--every=200ms"]);
    await gatewayOf(demo);
    demo.child.stdout?.destroy();
    expect((await demo.exit).code).toBe(0);
  });

  test("they are used where etcd is not installed", async () => {
    await using nothing = await temporaryFolder();
    await using demo = launch([], { env: { PATH: nothing.path } });
    await gatewayOf(demo);
    expect(demo.output).toContain("(etcd is not on the PATH)");
  });

  test("an address that is in use, of a flag or of the environment, ends it with status 1", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    const { port } = taken.address() as { readonly port: number };
    const address = `127.0.0.1:${port}`;
    const outcomes = await Promise.all([
      runGw(["demo", "--stand-in", `--listen-addr=${address}`]),
      runGw(["demo", "--stand-in"], { env: { GW_LISTEN_ADDR: address } }),
    ]);
    taken.close();
    for (const { code, stderr } of outcomes) {
      expect(code).toBe(1);
      expect(stderr).toContain(`gw: error: listen on ${address}: address already in use (EADDRINUSE)\n`);
    }
  });
});

test.each([
  [["demo", "--every=soon"], "--every"],
  [["demo", "--every=99ms"], "less than 100ms"],
  [["demo", "--listen-addr=here"], "--listen-addr"],
  [["demo", "--endpoints=127.0.0.1:1"], "--endpoints"],
  [["demo", "more"], "argument"],
  [["--endpoints=127.0.0.1:1", "demo"], "--endpoints stands before 'demo'"],
  [["--listen-addr=127.0.0.1:0", "demo"], "--listen-addr stands before 'demo'"],
])("gw %j is bad usage", async (args, message) => {
  const { code, stdout, stderr } = await runGw(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^gw: error: [^\n]+\n$/);
  expect(stderr).toContain(message);
});

test("an etcd that does not start ends the demo with status 1 and its reason, and leaves nothing", async () => {
  await using folder = await temporaryFolder();
  await using temporary = await temporaryFolder();
  const script = [
    "#!/bin/sh",
    'if [ "$1" = --version ]; then echo "etcd Version: 3.5.21"; exit; fi',
    `echo '{"level":"fatal","msg":"failed","error":"the disk is \\\\"full\\\\""}' >&2`,
    "exit 1",
  ];
  await writeFile(join(folder.path, "etcd"), script.join("\n"));
  await chmod(join(folder.path, "etcd"), 0o755);
  const env = { PATH: `${folder.path}${delimiter}${process.env["PATH"]}`, TMPDIR: temporary.path };
  await using demo = launch([], { env });
  const { code, stderr } = await demo.exit;
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^gw: error: cannot start etcd: member \d: etcd ended: the disk is \S+; --stand-in [^\n]+\n$/,
  );
  expect(await readdir(temporary.path)).toEqual([]);
});

describe.skipIf(missing("etcd", "etcdctl", "curl", "ps"))("with etcd", () => {
  /** Processes that have anything to do with `folder`. */
  async function processesOf(folder: string): Promise<string[]> {
    const { stdout } = await runProgram("ps", ["-A", "-ww", "-o", "pid=,args="]);
    return stdout.split("\n").filter(line => line.includes(folder));
  }

  function launchIn(folder: string, args: readonly string[] = []): Program {
    // This would be fatal to an etcd that is given its name by a flag.
    return launch(args, { env: { TMPDIR: folder, ETCD_NAME: "inherited" } });
  }

  async function nothingLeft(folder: string): Promise<void> {
    expect(await processesOf(folder)).toEqual([]);
    expect(await readdir(folder)).toEqual([]);
  }

  test("the commands work as they are printed, also when the member in use changes", async () => {
    await using temporary = await temporaryFolder();
    await using demo = launchIn(temporary.path, ["--every=2s"]);
    await gatewayOf(demo);
    await using watch = startProgram("sh", ["-c", `exec env ${printedCommand(demo, "watch foo")}`]);
    await vi.waitFor(async () => {
      // Nothing shows when the watch has begun.
      await shell(printedCommand(demo, "put foo bar"));
      expect(watch.output).toContain("PUT\nfoo\nbar\n");
    }, 30_000);
    await oneSwitch(demo);
    expect(await shell(printedCommand(demo, "get foo"))).toBe("foo\nbar\n");
    await shell(printedCommand(demo, "/v3/kv/put"));
    await watch.printed(/PUT\nfoo\nbaz\n/);
    expect(await shell(printedCommand(demo, "/v3/kv/range"))).toContain('"value":"YmF6"');
  });

  test("Ctrl-C ends it with status 0, and leaves neither a process nor a file", async () => {
    await using temporary = await temporaryFolder();
    await using demo = launchIn(temporary.path);
    await gatewayOf(demo);
    expect(await processesOf(temporary.path)).toHaveLength(4);
    demo.kill("SIGINT");
    expect((await demo.exit).code).toBe(0);
    await nothingLeft(temporary.path);
  });

  test("a SIGTERM while it starts leaves neither a process nor a file", async () => {
    await using temporary = await temporaryFolder();
    await using demo = launchIn(temporary.path);
    await expect.poll(() => readdir(temporary.path)).toHaveLength(1);
    demo.kill("SIGTERM");
    const { code, stdout } = await demo.exit;
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining("requests go to"),
    });
    await nothingLeft(temporary.path);
  });

  // The second is what a terminal sends when it is closed.
  test.each(["SIGKILL", "SIGHUP"] as const)(
    "killed by %s, it leaves neither a process nor a file",
    async signal => {
      await using temporary = await temporaryFolder();
      await using demo = launchIn(temporary.path);
      await gatewayOf(demo);
      demo.kill(signal);
      await demo.exit;
      await vi.waitFor(() => nothingLeft(temporary.path), 30_000);
    },
  );

  test("a member that another program kills is started again", async () => {
    await using temporary = await temporaryFolder();
    await using demo = launchIn(temporary.path, ["--every=4s"]);
    await gatewayOf(demo);
    const [line = ""] = (await processesOf(temporary.path)).filter(one => one.includes("--name=member-1"));
    process.kill(Number.parseInt(line, 10), "SIGKILL");
    await demo.printed(/demo: member 1 is back\n/);
  });

  test("the stand-ins answer as etcd does", async () => {
    await using temporary = await temporaryFolder();
    await using real = launchIn(temporary.path);
    await using standIn = launch(["--stand-in"]);
    const addresses = [await gatewayOf(real), await gatewayOf(standIn)] as const;
    for (const [path, body] of requests) {
      const replies = addresses.map(address =>
        body === undefined ? call(address, path) : post(address, path, body),
      );
      const [fromEtcd, fromStandIn] = (await Promise.all(replies)).map(essence);
      expect(fromStandIn, `${path} ${JSON.stringify(body)}`).toEqual(fromEtcd);
    }
  });
});

const everything = { key: "AA==", range_end: "AA==" };

/** Requests, in order. */
const requests: readonly (readonly [path: string, body?: unknown])[] = [
  ["/health"],
  ["/nothing"],
  ["/v3/kv/nothing", {}],
  ["/v3/kv/put"],
  ["/version", ""],
  ["/v3/kv/range", { key: "Zm9v" }],
  ["/v3/kv/put", { key: "Zm9v", value: "YmFy" }],
  ["/v3/kv/put", { key: "Zm9v", value: "YmF6", prev_kv: true }],
  ["/v3/kv/put", { key: "/w==", value: "" }],
  ["/v3/kv/put", { key: "Zm9w", value: "Zm9w", prev_kv: true }],
  ["/v3/kv/put", { value: "Zm9w" }],
  ["/v3/kv/put", { key: "Zm9v2" }],
  ["/v3/kv/put", { key: 1 }],
  ["/v3/kv/put", "{"],
  ["/v3/kv/put", "[]"],
  ["/v3/kv/put", ""],
  ["/v3/kv/range", { key: "Zm9v" }],
  ["/v3/kv/range", { key: "Zm8=", range_end: "Zm9w" }],
  ["/v3/kv/range", { key: "Zm9w", range_end: "Zm9v" }],
  ["/v3/kv/range", { key: "Zm9w", range_end: "AA==" }],
  ["/v3/kv/range", everything],
  ["/v3/kv/range", { ...everything, limit: 1 }],
  ["/v3/kv/range", { ...everything, limit: "3", serializable: true }],
  ["/v3/kv/range", { ...everything, keys_only: true }],
  ["/v3/kv/range", { ...everything, count_only: true, limit: 1 }],
  ["/v3/kv/range", { ...everything, limit: "many" }],
  ["/v3/kv/range", { ...everything, count_only: "yes" }],
];

/** A reply without what depends on the member, the time or the release. */
function essence({ status, body }: Reply): unknown {
  const answer = body.startsWith("{") ? JSON.parse(body) : {};
  if (status !== 200) return { status, code: answer.code };
  const { header = {}, reason: _, ...rest } = answer;
  return { status, revision: header.revision, fields: Object.keys(header), ...rest };
}
