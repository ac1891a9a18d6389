import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { connectTo, echo, outcome, type Program, runProgram, startBackend } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  compile,
  install,
  packAll,
  published,
  root,
  runNode,
  startCommand,
  succeed,
  type TemporaryFolder,
  temporaryFolder,
  terminate,
} from "./packed.js";

let temporary: TemporaryFolder;
let tarballs: ReadonlyMap<string, string>;

beforeAll(async () => {
  temporary = await temporaryFolder();
  tarballs = await packAll(temporary.path);
}, 180_000);
afterAll(() => temporary?.[Symbol.asyncDispose]());

/** The files of a package's sources that are compiled into it, without their extensions. */
async function sources(folder: string): Promise<string[]> {
  const files = await readdir(join(root, folder, "src"), { recursive: true });
  return files
    .filter(file => file.endsWith(".ts") && !file.endsWith(".test.ts"))
    .map(file => file.slice(0, -3));
}

/** The sources in C and what was compiled of them: for this machine where it has a compiler, for others where it can. */
async function nativeFiles(folder: string): Promise<string[]> {
  const inside = async (part: string): Promise<string[]> =>
    existsSync(join(root, folder, part))
      ? (await readdir(join(root, folder, part), { recursive: true })).map(file => `${part}/${file}`)
      : [];
  const binaries = (await inside("prebuilt")).filter(file => file.endsWith(".node"));
  const sources = (await inside("native")).filter(file => /\.[ch]$/.test(file));
  return [...sources, ...binaries];
}

describe.each(published)("the tarball of $name", ({ name, folder }) => {
  test("holds the compiled sources, README and LICENSE, and nothing else", async () => {
    const { stdout } = await succeed(runProgram("tar", ["-tzf", tarballs.get(name) ?? ""]));
    const files = stdout
      .trim()
      .split("\n")
      .map(file => file.replace(/^package\//, ""));
    const declared = (await sources(folder)).map(file => `dist/${file}.d.ts`);
    const native = name === "@gw/splice" ? await nativeFiles(folder) : [];
    const further = {
      "@gw/cli": [
        "bin/gw.js",
        "bin/package.json",
        "dist/main.script",
        "dist/code-cache.cjs",
        "dist/events.cjs",
        "dist/etcd-supervisor-process.cjs",
        "dist/third-party-notices.txt",
        "dist/page/icon.svg",
        "dist/page/index.html",
        "dist/page/page.css",
        "dist/page/page.js",
      ],
      "@gw/admin": ["dist/index.js", "schema/status.schema.json"],
      "@gw/discovery": ["dist/index.js", "schema/endpoints.schema.json"],
      "@gw/health": ["dist/index.js", "dist/defaults.js", "dist/identity.js"],
    }[name] ?? ["dist/index.js", ...native];
    const wanted = ["LICENSE", "README.md", "package.json", ...declared, ...further];
    // What an entry loads later, or shares with another; source maps; and what an earlier build has left behind, which is not on a
    // machine that releases.
    const allowed =
      /^dist\/([\w-]+-[A-Z\d]{8}\.js|[\w-]+\.(?:c?js|script)\.map|(?!.*\.test\.)[\w/-]+\.d\.ts)$/;
    expect(files.filter(file => !wanted.includes(file) && !allowed.test(file))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(wanted));
  });

  test("names its dependencies by versions that a registry understands", async () => {
    const args = ["-xzOf", tarballs.get(name) ?? "", "package/package.json"];
    const manifest = JSON.parse((await succeed(runProgram("tar", args))).stdout);
    const versions = Object.values(manifest.dependencies ?? {});
    expect(versions.filter(version => !/^\^?\d+\.\d+\.\d+$/.test(String(version)))).toEqual([]);
  });
});

describe("installed with npm in an empty folder", () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(temporary.path, "all");
    await install(folder, tarballs.values());
  }, 180_000);

  test("every package comes from its tarball, and stands there once", async () => {
    const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8"));
    const ours = Object.entries<{ readonly resolved: string }>(lock.packages)
      .filter(([path]) => path.includes("@gw/"))
      .map(([path, { resolved }]) => [path, /^file:/.test(resolved)]);
    expect(ours).toEqual(published.map(({ name }) => [`node_modules/${name}`, true]).sort());
  });

  test("`npx @gw/cli start` forwards bytes, and ends with exit code 0 on SIGTERM", async () => {
    await using backend = await startBackend(echo);
    const npx = startCommand(folder, `npx @gw/cli start --endpoints=127.0.0.1:${backend.port}`);
    const [, port] = await npx.printed(/"listen":\["127\.0\.0\.1:(\d+)"\].*"ready to proxy client requests"/);
    const client = await connectTo(Number(port));
    client.end("through npx and back");
    expect(await outcome(client)).toEqual({ received: Buffer.from("through npx and back"), end: "end" });
    await terminate(npx);
    expect(await npx.exit).toMatchObject({ code: 0, stdout: "" });
  });

  test("`npx @gw/cli --version` prints the version of the package", async () => {
    const { version } = JSON.parse(await readFile(join(folder, "node_modules/@gw/cli/package.json"), "utf8"));
    const npx = startCommand(folder, "npx @gw/cli --version");
    expect(await npx.exit).toMatchObject({ code: 0, stdout: `${version}\n` });
  });

  test("`npx @gw/cli` passes the exit code of bad usage on", async () => {
    const npx = startCommand(folder, "npx @gw/cli start --endpoints=h:0");
    expect(await npx.exit).toMatchObject({ code: 2, stderr: expect.stringContaining('port "0" is not') });
  });
});

/** A policy of a third party: the endpoint with the port that its options name, while it is up. */
const nearest = {
  "package.json": JSON.stringify({
    name: "@acme/nearest",
    version: "1.2.3",
    type: "module",
    exports: "./nearest.js",
    files: ["nearest.js"],
  }),
  "nearest.js": `
export default function nearest({ port }) {
  if (!/^[0-9]+$/.test(port ?? "")) throw new Error("it needs the option port");
  return {
    pick: candidates => candidates.find(({ endpoint }) => endpoint.port === Number(port)) ?? candidates[0],
  };
}
`,
};

/** Packs a package of these files; resolves with its tarball. */
async function pack(name: string, files: { readonly [file: string]: string }): Promise<string> {
  const source = join(temporary.path, name);
  await mkdir(source);
  for (const [file, text] of Object.entries(files)) await writeFile(join(source, file), text);
  const { stdout } = await succeed(runProgram("npm", ["pack", "--json"], { cwd: source }));
  const [packed]: { readonly filename: string }[] = JSON.parse(stdout);
  return join(source, packed?.filename ?? "");
}

/** Starts a gateway; resolves when it is ready. */
async function startReady(folder: string, flags: string): Promise<{ gateway: Program; port: number }> {
  const gateway = startCommand(folder, `npx @gw/cli start ${flags}`);
  const [, port] = await gateway.printed(
    /"listen":\["127\.0\.0\.1:(\d+)"\].*"ready to proxy client requests"/,
  );
  return { gateway, port: Number(port) };
}

/** Sends each text through a connection of its own, one after the other. */
async function sendAll(port: number, texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const client = await connectTo(port);
    client.end(text);
    expect(await outcome(client)).toEqual({ received: Buffer.from(text), end: "end" });
  }
}

describe("a selector of a third party", () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(temporary.path, "beside");
    await install(folder, [...tarballs.values(), await pack("nearest", nearest)]);
  }, 180_000);

  test("is found by its name, takes its options, and decides", async () => {
    await using one = await startBackend(echo);
    await using two = await startBackend(echo);
    const endpoints = `--endpoints=127.0.0.1:${one.port},127.0.0.1:${two.port}`;
    for (const [preferred, other] of [
      [one, two],
      [two, one],
    ] as const) {
      const before = [preferred.accepted, other.accepted] as const;
      const selector = `--selector=@acme/nearest:port=${preferred.port}`;
      const { gateway, port } = await startReady(folder, `${endpoints} ${selector} --health-check=off`);
      await sendAll(port, ["a", "b", "c"]);
      expect([preferred.accepted, other.accepted]).toEqual([before[0] + 3, before[1]]);
      await terminate(gateway);
      expect(await gateway.exit).toMatchObject({ code: 0 });
    }
  });

  test("reports what is wrong with its options", async () => {
    const npx = startCommand(folder, "npx @gw/cli start --selector=@acme/nearest:prot=1");
    expect(await npx.exit).toMatchObject({
      code: 2,
      stderr: 'gw: error: selector "@acme/nearest": its factory threw: it needs the option port\n',
    });
  });

  test("keeps the contract, as the compliance suite finds", async () => {
    const script = `
      import test from "node:test";
      import { selectorCompliance } from "@gw/compliance";
      import nearest from "@acme/nearest";
      for (const { name, run } of selectorCompliance(() => nearest({ port: "2379" }))) test(name, run);`;
    await writeFile(join(folder, "nearest.test.js"), script.trim());
    await writeFile(join(folder, "package.json"), '{ "type": "module" }\n');
    const { stdout } = await runNode(folder, "--test", "--test-reporter=tap", "nearest.test.js");
    expect(stdout).toMatch(/^# pass (?:[5-9]|\d\d+)$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  });
});

/** A policy of a third party made of those of @gw/selector, the one in use or, once it has failed, all in turn. */
const wrapping = {
  "package.json": JSON.stringify({
    name: "@acme/wrapping",
    version: "1.2.3",
    type: "module",
    exports: "./wrapping.js",
    files: ["wrapping.js"],
    peerDependencies: { "@gw/selector": "*" },
  }),
  "wrapping.js": `
import { roundRobin, stickyRandom } from "@gw/selector";

export default function wrapping({ failback }) {
  if (failback) return stickyRandom({ failbackMs: Number(failback) });
  const inTurn = roundRobin();
  let picks = 0;
  return { pick: candidates => (++picks <= 2 ? candidates[0] : inTurn.pick(candidates)) };
}
`,
};

describe("a selector that uses @gw/selector", () => {
  let folder: string;
  /** As a package, and as a file of a project that has installed nothing but gw and that package. */
  const names = ["@acme/wrapping", "./wrapping.mjs"];
  beforeAll(async () => {
    folder = join(temporary.path, "around");
    const needed = [...withDependencies("@gw/cli")].map(name => tarballs.get(name) ?? "");
    await install(folder, [...needed, await pack("wrapping", wrapping)]);
    await writeFile(join(folder, "wrapping.mjs"), wrapping["wrapping.js"]);
  }, 180_000);

  test.each(names)("%s picks through its policies", async name => {
    await using one = await startBackend(echo);
    await using two = await startBackend(echo);
    const endpoints = `--endpoints=127.0.0.1:${one.port},127.0.0.1:${two.port}`;
    const { gateway, port } = await startReady(folder, `${endpoints} --selector=${name} --health-check=off`);
    await sendAll(port, ["a", "b", "c", "d", "e", "f"]);
    expect([one.accepted, two.accepted]).toEqual([4, 2]);
    await terminate(gateway);
    const { code, stderr } = await gateway.exit;
    expect(code).toBe(0);
    expect(stderr).not.toContain("selector failed");
  });

  test.each(names)("%s has its errors reported as gw's own", async name => {
    const gateway = startCommand(folder, `npx @gw/cli start --selector=${name}:failback=-1`);
    expect(await gateway.exit).toMatchObject({
      code: 2,
      stderr: `gw: error: selector "${name}": failbackMs -1 is not more than 0\n`,
    });
  });
});

/** A published package and those of ours that npm installs with it. */
function withDependencies(name: string): ReadonlySet<string> {
  const names = new Set([name]);
  // A set goes on with what is added meanwhile.
  for (const one of names) {
    const { dependencies = {} } = published.find(other => other.name === one)?.manifest ?? {};
    for (const dependency of Object.keys(dependencies)) if (tarballs.has(dependency)) names.add(dependency);
  }
  return names;
}

/** A whole TCP proxy, of which the types matter: what is wrong must not compile. */
const program = `
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { createProxy, inOrder, type TcpProxy } from "@gw/tcpproxy";

const backend = createServer(socket => socket.pipe(socket)).listen(0, "127.0.0.1");
await once(backend, "listening");
const { port } = backend.address() as AddressInfo;
const proxy: TcpProxy = createProxy({
  listen: [{ host: "127.0.0.1", port: 0 }],
  pool: inOrder([{ host: "127.0.0.1", port }]),
});
const [address] = await proxy.listen();
const client = connect(address?.port ?? 0, "127.0.0.1").setEncoding("utf8");
client.end("through the proxy and back");
for await (const text of client) process.stdout.write(text);
await proxy.close({ graceMs: 1_000 });
backend.close();

export function wrong(): void {
  // @ts-expect-error
  createProxy({ listen: "127.0.0.1:0", pool: inOrder([]) });
  // @ts-expect-error
  inOrder([{ host: "127.0.0.1", port: "2379" }]);
  // @ts-expect-error
  proxy.close("now");
}
`;

describe("@gw/tcpproxy alone", () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(temporary.path, "alone");
    const needed = ["@gw/tcpproxy", "@gw/interface"].map(name => tarballs.get(name) ?? "");
    await install(folder, needed);
    await writeFile(join(folder, "program.mts"), program);
  }, 180_000);

  test("brings @gw/interface and nothing else", async () => {
    const modules = join(folder, "node_modules");
    expect((await readdir(modules)).filter(name => !name.startsWith("."))).toEqual(["@gw"]);
    expect((await readdir(join(modules, "@gw"))).sort()).toEqual(["interface", "tcpproxy"]);
  });

  test("type-checks as a bundler resolves modules", async () => {
    await compile(folder, "program.mts", "bundler");
  });

  test("type-checks as Node resolves modules, and what is compiled runs", async () => {
    await compile(folder, "program.mts", "nodenext");
    const { stdout, stderr } = await runNode(folder, "program.mjs");
    expect({ stdout, stderr }).toEqual({ stdout: "through the proxy and back", stderr: "" });
  });
});
