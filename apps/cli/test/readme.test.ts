// Runs every block of code of every README and page of docs/; a block that it cannot run is a failed test.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { file } from "@gw/discovery";
import { freePort, missing, runProgram, startDnsServer, startEtcd, startGw } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Block, blocksOf, pages, read } from "./markdown.js";
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

const blocks = pages.flatMap(blocksOf);
const inLanguage = (...languages: string[]): Block[] =>
  blocks.filter(({ language }) => languages.includes(language));

/** Where users have installed all packages, and written the files that the READMEs name. */
let folder: string;
let temporary: TemporaryFolder;

beforeAll(async () => {
  temporary = await temporaryFolder();
  folder = join(temporary.path, "project");
  await install(folder, (await packAll(temporary.path)).values());
  for (const block of inLanguage("js")) await writeFile(join(folder, fileName(block)), block.text);
}, 180_000);
afterAll(() => temporary?.[Symbol.asyncDispose]());

/** The name in the comment in the first line of a block; without one, a name made of its place. */
function fileName({ text, place }: Block): string {
  const [, named] = /^\/\/ (\S+\.js)\n/.exec(text) ?? [];
  return named ?? `${place.replace(/\W+/g, "-")}.test.js`;
}

test("every block is in a language that is run or checked here", () => {
  const known = inLanguage("ts", "js", "sh", "zone", "yaml", "console", "text", "");
  expect(blocks.filter(block => !known.includes(block))).toEqual([]);
  for (const language of ["ts", "js", "sh"]) expect(inLanguage(language)).not.toEqual([]);
});

describe.each(inLanguage("ts"))("$place", ({ place, text }) => {
  test("type-checks, runs to its end, and prints the output that it shows", async () => {
    const name = place.replace(/\W+/g, "-");
    const code = await withFreePorts(text);
    await writeFile(join(folder, `${name}.mts`), code);
    await compile(folder, `${name}.mts`, "nodenext");
    const { stdout, stderr } = await runNode(folder, `${name}.mjs`);
    expect(stderr).toBe("");
    // A comment directly below a statement is what the statement prints.
    for (const [, output] of code.matchAll(/\);\n\/\/ (.+)/g)) expect(stdout).toContain(`${output}\n`);
  });
});

/** A block that listens on ports of 127.0.0.1 gets ports that are free here. */
async function withFreePorts(text: string): Promise<string> {
  const ports = new Map<string, number>();
  for (const [line] of text.matchAll(/.*"127\.0\.0\.1".*/g))
    for (const [port] of line.matchAll(/\b\d{4,5}\b/g))
      if (!ports.has(port)) ports.set(port, await freePort());
  return text.replace(/\b\d{4,5}\b/g, number => String(ports.get(number) ?? number));
}

const [tests, modules] = [true, false].map(isTest =>
  inLanguage("js").filter(block => fileName(block).endsWith(".test.js") === isTest),
) as [Block[], Block[]];
const importedByTests = (block: Block): boolean =>
  tests.some(({ text }) => text.includes(`from "./${fileName(block)}"`));

describe.each(tests)("$place", block => {
  test("passes under node --test", async () => {
    const name = fileName(block);
    if (!block.text.includes("import test")) await writeFile(join(folder, name), wholeTest(block.text));
    const { stdout } = await runNode(folder, "--test", "--test-reporter=tap", name);
    expect(stdout).toMatch(/^# pass ([5-9]|\d\d+)$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
    // The whole suite of a relay is one of them, on a machine that runs other tests as well.
  }, 240_000);
});

describe.each(modules)("$place", block => {
  test("is a module that a command starts, or that a test imports", () => {
    const commands = inLanguage("sh").map(({ text }) => text);
    const isStarted = commands.some(text => text.includes(`--selector=./${fileName(block)}`));
    expect(isStarted || importedByTests(block)).toBe(true);
  });
});

/** The block that shows a call of `discoveryCompliance`, with the code around it that it needs. */
function wholeTest(text: string): string {
  expect(text).toMatch(/^discoveryCompliance\(\{\n.*\n\}\);\n$/s);
  return `
    import { EventEmitter, on } from "node:events";
    import test from "node:test";
    import { discoveryCompliance } from "@gw/compliance";
    const path = new EventEmitter();
    let hosts = [];
    const anotherList = () => [...hosts, "10.0.0." + (hosts.length + 1)];
    const writeFile = (file, list) => { hosts = list; file.emit("change"); };
    const endpoints = () =>
      Object.freeze(hosts.map(host => Object.freeze({ host, port: 2379, priority: 0, weight: 0 })));
    const watchFile = file => {
      hosts = ["10.0.0.1"];
      return {
        async *watch({ signal }) {
          if (signal.aborted) return;
          const changes = on(file, "change", { signal });
          try {
            yield endpoints();
            for await (const _ of changes) yield endpoints();
          } catch (error) {
            if (!signal.aborted) throw error;
          }
        },
      };
    };
    const cases = ${text}
    for (const { name, run } of cases) test(name, run);`;
}

describe.each(inLanguage(""))("$place", ({ text }) => {
  test("is the message for a selector that returns copies", async () => {
    const script = `
      import { selectorCompliance } from "@gw/compliance";
      for (const { run } of selectorCompliance(() => ({ pick: ([first]) => first && { ...first } })))
        await run().catch(error => console.log(error.message));`;
    const { stdout } = await runNode(folder, "--input-type=module", "--eval", script);
    expect(stdout).toContain(text);
  });
});

const commands = inLanguage("sh").flatMap(({ place, text }) =>
  text
    .trimEnd()
    .split("\n")
    .map(command => ({ place, command })),
);

describe.each(commands)("$place $command", ({ command }) => {
  const { name, check, needs } = howToCheck(command);
  test.skipIf(missing(...needs))(name, () => check(command));
});

interface Check {
  readonly name: string;
  readonly check: (command: string) => Promise<void> | void;
  /** Programs without which it cannot be checked. */
  readonly needs: readonly string[];
}

function howToCheck(command: string): Check {
  const starts = (ready: RegExp, directory = () => folder) => ({
    name: "starts, and ends with exit code 0 on SIGTERM",
    needs: [],
    async check() {
      const started = startCommand(directory(), onThisMachine(command));
      await started.printed(ready);
      await terminate(started);
      expect(await started.exit).toMatchObject({ code: 0 });
    },
  });
  if (/^npx @gw\/cli .*--discovery-srv=example\.com$/.test(command))
    return { name: "works with the zone that is shown", needs: ["knotd", "knotc"], check: worksWithZone };
  if (/^npx @gw\/cli check /.test(command))
    return { name: "checks the members of a cluster", needs: ["etcd"], check: checksMembers };
  if (/^npx @gw\/cli start .*--discovery-members$/.test(command))
    return { name: "works in front of etcd", needs: ["etcd"], check: asksMembers };
  if (/^npx @gw\/cli start /.test(command)) return starts(/"ready to proxy client requests"/);
  if (/^npx @gw\/cli demo( |$)/.test(command)) return starts(/Send requests to the gateway/);
  if (/^npm start -- start /.test(command)) return starts(/"ready to proxy client requests"/, () => root);
  if (command === "npm test") return { name: "is a script", needs: [], check: isScript };
  if (/^npm install (--save-dev |--global )?@gw\/[\w-]+$/.test(command))
    return { name: "installs a package that is published", needs: [], check: isPublished };
  if (/^etcdctl --endpoints=127\.0\.0\.1:23790 /.test(command))
    return { name: "works through a gateway to etcd", needs: ["etcd", "etcdctl"], check: worksWithEtcd };
  return { name: "is a command that this test can check", needs: [], check: isUnknown };
}

/** The same with addresses of this machine, because a gateway checks its endpoints as soon as it is ready. */
function onThisMachine(command: string): string {
  return command.replace(/\b10(?=(?:\.\d+){3}\b)/g, "127").replace(/\binfra\d\.example\.com/g, "localhost");
}

/** The records of the README, on a DNS server of this machine. Nothing is sent to the addresses in them. */
async function worksWithZone(command: string): Promise<void> {
  const zone = inLanguage("zone").map(({ text }) => text);
  await using dns = await startDnsServer({ zone: zone.join("\n") });
  const { host, port } = dns.address;
  const quiet = / resolve /.test(command) ? "" : " --health-check=off";
  const here = `${command} --dns-server=${host}:${port}${quiet}`;
  await using started = startCommand(folder, here);
  for (const name of ["infra0", "infra1", "infra2"])
    await started.printed(new RegExp(`${name}\\.example\\.com:2379`));
  if (/ resolve /.test(command)) return void expect(await started.exit).toMatchObject({ code: 0 });
  await started.printed(/"ready to proxy client requests"/);
  await terminate(started);
  expect(await started.exit).toMatchObject({ code: 0 });
}

/** With the endpoints of a cluster here in the place of those in the README, it prints what the README shows. */
async function checksMembers(command: string): Promise<void> {
  await using etcd = await startEtcd(3);
  const started = startCommand(folder, command.replace(/--endpoints=\S+/, `--endpoints=${etcd.endpoints}`));
  expect(await started.exit).toMatchObject({ code: 0 });
  const [shown] = blocks.filter(({ language, text }) => language === "console" && /CONNECT/.test(text));
  const shapeOf = (text: string): string =>
    text
      .replace(/follower|leader/g, "role")
      .replace(/\b[\da-f]{10,16}\b/g, "id")
      .replace(/\d[\d.:]*/g, "number")
      .replace(/ +/g, " ");
  expect(shapeOf(started.output)).toBe(shapeOf(shown?.text ?? ""));
}

/** With the endpoints of a cluster here in the place of those in the README. */
async function asksMembers(command: string): Promise<void> {
  await using etcd = await startEtcd(3);
  const [seed = ""] = etcd.endpoints.split(",");
  await using started = startCommand(folder, command.replace(/--endpoints=\S+/, `--endpoints=${seed}`));
  await started.printed(/"source":"members","reason":"[^"]*","added":\[[^\n]*endpoints changed/);
  await terminate(started);
  expect(await started.exit).toMatchObject({ code: 0 });
}

test("the file of endpoints that is shown is one", async () => {
  const [shown] = inLanguage("yaml");
  const path = join(folder, "endpoints.yaml");
  await writeFile(path, shown?.text ?? "");
  const endpoints: unknown[] = [];
  for await (const set of file(path).watch({ signal: AbortSignal.timeout(5_000) })) {
    endpoints.push(...set.map(({ host, priority, secure }) => ({ host, priority, secure })));
    break;
  }
  expect(endpoints).toEqual([
    { host: "10.0.1.10", priority: 0, secure: undefined },
    { host: "infra1.example.com", priority: 0, secure: true },
    { host: "10.0.1.12", priority: 1, secure: undefined },
  ]);
});

function isUnknown(command: string): void {
  expect.fail(`this test cannot check: ${command}`);
}

function isScript(): void {
  expect(JSON.parse(read("package.json")).scripts).toMatchObject({ test: expect.any(String) });
}

function isPublished(command: string): void {
  expect(published.map(({ name }) => name)).toContain(command.split(" ").at(-1));
}

async function worksWithEtcd(command: string): Promise<void> {
  await using etcd = await startEtcd(1);
  await using gw = await startGw([`--endpoints=${etcd.endpoints}`]);
  const here = command.replace("127.0.0.1:23790", gw.address);
  await succeed(runProgram("sh", ["-c", here], { env: { ETCDCTL_API: "3" } }));
  await gw.logged(/^connected$/);
}
