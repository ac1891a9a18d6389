import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { queue, runGw, startGw } from "@gw/testing";
import { expect, test } from "vitest";

/** A server that lists itself as the one member, and records the tokens and passwords of requests. */
async function startMember() {
  const shown = queue<string>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    if (request.url === "/v3/auth/authenticate") {
      shown.put(`password ${JSON.parse(body).password}`);
      response.end(JSON.stringify({ token: "session" }));
      return;
    }
    if (request.headers.authorization !== undefined) shown.put(`token ${request.headers.authorization}`);
    const { port } = server.address() as AddressInfo;
    response.end(JSON.stringify({ members: [{ name: "one", clientURLs: [`http://127.0.0.1:${port}`] }] }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const flags = [
    `--endpoints=127.0.0.1:${(server.address() as AddressInfo).port}`,
    "--discovery-members",
    "--health-check=off",
    "--members-interval=1h",
    "--discovery-max-refresh=2h",
  ];
  return {
    flags,
    shown: shown.take,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function temporary() {
  const path = await mkdtemp(join(tmpdir(), "gw-credentials-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test("a user's password and a token come from files, and a new one is used after SIGHUP", async () => {
  await using member = await startMember();
  await using folder = await temporary();
  const file = join(folder.path, "secret");
  await writeFile(file, "root:word-of-old\n", { mode: 0o600 });
  await using gw = await startGw([...member.flags, `--etcd-user-file=${file}`]);
  expect(await member.shown()).toBe("password word-of-old");
  expect(await member.shown()).toBe("token session");
  await writeFile(file, "root:word-of-new\n");
  gw.kill("SIGHUP");
  expect(await member.shown()).toBe("password word-of-new");
  gw.kill();
  expect(await gw.exit).toMatchObject({ code: 0 });
  expect(gw.output).not.toContain("word-of");

  await writeFile(file, "abc");
  await using other = await startGw(member.flags, { env: { GW_ETCD_TOKEN_FILE: file } });
  // The first gateway may have asked once more before it ended.
  let shown = await member.shown();
  if (shown === "token session") shown = await member.shown();
  expect(shown).toBe("token abc");
  expect(other.output).not.toContain("abc");
});

test.each([
  [["--etcd-user-file=x"], /--etcd-user-file does nothing without --discovery-members/],
  [["--etcd-token-file=x"], /--etcd-token-file does nothing without --discovery-members/],
  [
    ["--discovery-members", "--etcd-user=a:b", "--etcd-user-file=x"],
    /--etcd-user and --etcd-user-file exclude/,
  ],
  [
    ["--discovery-members", "--etcd-token=a", "--etcd-user-file=x"],
    /--etcd-user-file and --etcd-token exclude/,
  ],
  [
    ["--discovery-members", "--etcd-token-file=a", "--etcd-user-file=x"],
    /-user-file and --etcd-token-file exclude/,
  ],
  [
    ["--discovery-members", "--etcd-user-file=/no/such"],
    /--etcd-user-file "\/no\/such" cannot be read.*ENOENT/,
  ],
  [["--discovery-members", "--etcd-token-file=/"], /--etcd-token-file "\/" is a directory/],
])("%j is bad usage", async (args, why) => {
  for (const command of [["start"], ["resolve"], ["check"]])
    expect(await runGw([...command, ...args])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(why),
    });
});

test.each([
  [["--endpoints=http://root:SECRET@h:x"], {}],
  [["--endpoints=http://root:SECRET@h", "--endpoint=http://root:SECRET@h"], {}],
  [["http://root:SECRET@h"], {}],
  [["--health-url=http://root:SECRET@{host}/"], {}],
  [["--selector=http://root:SECRET@h"], {}],
  [["--listen-addr=http://root:SECRET@h:1"], {}],
  [["--discovery-srv=http://root:SECRET@h"], {}],
  [["--log-level=http://root:SECRET@h"], {}],
  [["--endpoints=root:SECRET@h:2379"], {}],
  [["--endpoints=http:/root:SECRET@h"], {}],
  [["--dns-server=root:SECRET@h"], {}],
  [["--listen-addr=root:SECRET@h:1"], {}],
  [["--health-url=root:SECRET@{host}"], {}],
  [["--etcd-usr=root:SECRET"], {}],
  [[], { GW_ENDPOINTS: "root:SECRET@h" }],
  [[], { GW_ENDPOINTS: "https://root:SECRET@h:x" }],
  [[], { GW_ENDPOINTS: "https://root:SECRET,SECRET@h:x" }],
  [[], { GW_RETRY_DELAY: "https://root:SECRET@h:x" }],
])("the password of a URL shows in no error: %j %j", async (args, env) => {
  const { code, stdout, stderr } = await runGw(args, { env });
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^gw: error: [^\n]+\n$/);
  expect(stderr).not.toContain("SECRET");
});

test("the password of a URL in a file shows in no error", async () => {
  await using folder = await temporary();
  const file = join(folder.path, "endpoints.yaml");
  for (const content of [
    "- http://root:SECRET@h:x\n",
    "- endpoint: https://root:SECRET@[::1\n",
    "- 'root:SECRET@h'\n",
  ]) {
    await writeFile(file, content);
    const { code, stderr } = await runGw([`--endpoints-file=${file}`]);
    expect(code).toBe(2);
    expect(stderr).not.toContain("SECRET");
  }
});
