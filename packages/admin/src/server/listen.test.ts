import { once } from "node:events";
import { chmod, lstat, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram, startProgram } from "@gw/testing";
import { expect, test } from "vitest";
import { sampleGateway } from "../../test/sample.js";
import { startAdmin } from "../../test/start.js";
import { type AdminServerOptions, createAdminServer } from "./server.js";

const packageFolder = fileURLToPath(new URL("../..", import.meta.url));

function serve(...listen: AdminServerOptions["listen"]) {
  return createAdminServer({ gateway: sampleGateway(), listen, onError: () => {} });
}

async function temporaryFolder() {
  const folder = await mkdtemp(join(tmpdir(), "gw-"));
  return {
    path: (name: string) => join(folder, name),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** The status of a GET through a Unix socket. */
async function getThrough(
  socketPath: string,
  headers: Record<string, string> = {},
): Promise<number | undefined> {
  const asked = request({ socketPath, path: "/livez", headers, agent: false }).end();
  const [response] = await once(asked, "response");
  response.resume();
  return response.statusCode;
}

test("listens at all addresses of a name on one port, and at several targets", async () => {
  await using folder = await temporaryFolder();
  const path = folder.path("admin.sock");
  const server = await serve({ host: "localhost", port: 0 }, { path });
  expect(server.addresses.at(-1)).toBe(`unix:${path}`);
  const tcp = server.addresses.slice(0, -1);
  expect(new Set(tcp.map(address => address.split(":").at(-1))).size).toBe(1);
  for (const address of tcp) expect((await fetch(`http://${address}/livez`)).status).toBe(200);
  expect(await getThrough(path)).toBe(200);
  await server.close();
});

test("an address in use is an error, and then nothing listens", async () => {
  await using folder = await temporaryFolder();
  const path = folder.path("admin.sock");
  await using admin = await startAdmin();
  await expect(serve({ path }, { host: "127.0.0.1", port: admin.port })).rejects.toMatchObject({
    code: "address-in-use",
    detail: `listen at 127.0.0.1:${admin.port} for --admin-addr: address already in use (EADDRINUSE)`,
  });
  await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
});

test("a socket file is for its user alone, any Host may be asked for, and it is gone at the end", async () => {
  await using folder = await temporaryFolder();
  const path = folder.path("admin.sock");
  const mask = process.umask(0);
  try {
    const server = await serve({ path });
    const found = await lstat(path);
    expect([found.isSocket(), found.mode & 0o777]).toEqual([true, 0o600]);
    expect(process.umask()).toBe(0);
    expect(await getThrough(path, { host: "anything.example" })).toBe(200);
    expect(await getThrough(path, { origin: "http://evil.example" })).toBe(403);
    await server.close();
    await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
  } finally {
    process.umask(mask);
  }
});

test("the socket file of a process that was killed is replaced", async () => {
  await using folder = await temporaryFolder();
  const path = folder.path("admin.sock");
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await runProgram(process.execPath, ["-e", script]);
  expect((await lstat(path)).isSocket()).toBe(true);
  const server = await serve({ path });
  expect(await getThrough(path)).toBe(200);
  await server.close();
});

test("a socket file in use, another file, and an impossible path are errors", async () => {
  await using folder = await temporaryFolder();
  const path = folder.path("admin.sock");
  const server = await serve({ path });
  await expect(serve({ path })).rejects.toThrow(`another process listens on the socket file "${path}"`);
  expect(await getThrough(path)).toBe(200);
  await server.close();
  await writeFile(path, "precious");
  await expect(serve({ path })).rejects.toThrow("exists and is not a socket");
  expect((await lstat(path)).size).toBe(8);
  await expect(serve({ path: folder.path("x".repeat(120)) })).rejects.toThrow(/is longer than \d+ bytes/);
  await expect(serve({ path: folder.path("no/such/folder") })).rejects.toThrow(
    /for --admin-addr|socket file/,
  );
  await expect(serve({ path: "" })).rejects.toThrow("is empty");
  await chmod(path, 0o600);
});

test("close ends idle connections, streams and answers that are not read within a second", async () => {
  const big = "x".repeat(50_000_000);
  await using admin = await startAdmin({ metrics: () => big });
  const sockets = [
    "",
    "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /metrics HTTP/1.1\r\nHost: 1.1.1.1\r\n\r\n",
    "GET /st",
  ].map(text => {
    const socket = connect(admin.port, "127.0.0.1").on("error", () => {});
    socket.write(text);
    return socket;
  });
  await Promise.all(sockets.map(socket => once(socket, "connect")));
  await once(sockets[2] as never, "readable");
  const begun = performance.now();
  await admin.close();
  expect(performance.now() - begun).toBeLessThan(1_000);
  for (const socket of sockets) socket.destroy();
  await admin.close();
});

test("a process ends after close", async () => {
  const script = `
    import { createAdminServer } from "@gw/admin";
    const server = await createAdminServer({ gateway: { events: () => ({ events: [] }), status: () => ({}), onEvent: () => () => {} }, listen: [{ host: "127.0.0.1", port: 0 }], onError() {} });
    const answer = await fetch("http://" + server.addresses[0] + "/stream");
    await server.close();
    await answer.text();
    console.log("closed");`;
  const { stdout, code } = await runProgram(process.execPath, ["--input-type=module", "-e", script], {
    cwd: packageFolder,
  });
  expect([stdout, code]).toEqual(["closed\n", 0]);
});

test("a process without free descriptors goes on, and serves again when it has some", async () => {
  const script = `
    import { closeSync, openSync } from "node:fs";
    import { createAdminServer } from "@gw/admin";
    const server = await createAdminServer({ gateway: {}, listen: [{ host: "127.0.0.1", port: 0 }], onError: error => console.log("reported " + error.code) });
    const files = [];
    process.on("SIGUSR2", () => {
      for (const file of files) closeSync(file);
      console.log("freed");
    });
    process.on("SIGTERM", () => void server.close().then(() => process.exit()));
    try {
      for (;;) files.push(openSync("/dev/null"));
    } catch (error) {
      console.log(server.addresses[0] + " " + error.code);
    }`;
  await using program = startProgram(
    "sh",
    ["-c", `ulimit -n 64; exec "$0" "$@"`, process.execPath, "--input-type=module", "-e", script],
    {
      cwd: packageFolder,
    },
  );
  const [, address] = await program.printed(/(\S+) EMFILE/);
  for (let count = 0; count < 20; count += 1)
    await expect(fetch(`http://${address}/livez`)).rejects.toThrow();
  program.kill("SIGUSR2");
  await program.printed(/freed/);
  await expect.poll(async () => (await fetch(`http://${address}/livez`)).status).toBe(200);
  program.kill();
  expect(await program.exit).toMatchObject({ code: 0, stderr: "" });
});
