// What the READMEs say in words and tables, held against the program.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { runGw } from "@gw/testing";
import { beforeAll, describe, expect, test } from "vitest";
import { codeIn, plain, read, readmes, rowsOf, tablesOf } from "./markdown.js";
import { published, root, startCommand } from "./packed.js";

const pages = [...readmes, "CONTRIBUTING.md", "docs/architecture.md"];

/** A flag as the help tells it. */
interface Flag {
  readonly name: string;
  readonly default: string;
  readonly variable: string;
  readonly choices: readonly string[];
}

/** The flags of `gw` as its help tells them, which are those of `gw start`. */
async function flagsOf(...command: string[]): Promise<Flag[]> {
  const { stdout } = await runGw([...command, "--help"]);
  const [, options = ""] = /\nOptions:\n(.*?)\n(?:\n|$)/s.exec(stdout) ?? [];
  return options
    .split(/\n? {2}(?=-)/)
    .map(option => option.replace(/\s+/g, " "))
    .filter(option => /^--(?!version )/.test(option))
    .map(option => ({
      name: option.split(" ")[0] ?? "",
      default: /\(default: (.*?)\)/.exec(option)?.[1] ?? "",
      variable: /env: (\w+)/.exec(option)?.[1] ?? "",
      choices: [...(/choices: ([^)]*)/.exec(option)?.[1] ?? "").matchAll(/"(\w+)"/g)].map(
        ([, it]) => it ?? "",
      ),
    }));
}

describe("the settings", () => {
  let flags: Flag[];
  const rows = rowsOf("README.md").filter(([flag]) => flag?.startsWith("`--"));
  beforeAll(async () => {
    flags = await flagsOf();
  });

  test("are the flags of gw start, no more and no less", async () => {
    expect(rows.map(([flag = ""]) => plain(flag))).toEqual(flags.map(({ name }) => name));
    expect((await flagsOf("start")).map(({ name }) => name)).toEqual(flags.map(({ name }) => name));
  });

  test("have the variables and the defaults of the table", () => {
    const table = rows.map(([, variable = "", byDefault = ""]) => [variable, byDefault].map(plain));
    // What the help adds behind a comma is left out of the table.
    const help = flags.map(({ variable, default: full }, index) => {
      const short = table[index]?.[1] ?? "";
      return [variable, full.startsWith(`${short}, `) ? short : full];
    });
    expect(table).toEqual(help);
  });

  test("take the words of the table", () => {
    const words = rows.map(row => [...new Set(codeIn(row.slice(2).join(" ")))].sort());
    for (const [index, { name, choices }] of flags.entries())
      if (choices.length > 0)
        expect({ name, words: words[index] }).toEqual({ name, words: choices.toSorted() });
  });

  test("are, with those of other commands, the only flags and variables that the READMEs speak of", async () => {
    const others = await Promise.all(["resolve", "demo"].map(command => flagsOf(command)));
    const known = [flags, ...others].flat().flatMap(({ name, variable }) => [name, variable]);
    for (const page of readmes)
      for (const word of codeIn(read(page))) if (/^(--|GW_)[\w-]+$/.test(word)) expect(known).toContain(word);
  });
});

test("the commands of gw are those of its help", async () => {
  const { stdout } = await runGw(["--help"]);
  const commands = rowsOf("apps/cli/README.md")
    .flatMap(([name = ""]) => codeIn(name))
    .map(name => /^gw \[?(\w+)/.exec(name)?.[1]);
  const [, helped = ""] = /\nCommands:\n(.*?)\n\n/s.exec(stdout) ?? [];
  expect(commands).toEqual([...helped.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name));
});

test("the version of Node is that of the manifests", () => {
  const [, version] = /Node ≥ ([\d.]+)/.exec(read("README.md")) ?? [];
  expect(read("CONTRIBUTING.md")).toContain(`Node ≥ ${version}`);
  for (const { manifest } of published) expect(manifest.engines.node).toBe(`>=${version}`);
});

test("`npx gw` is gw in the checkout", async () => {
  const npx = startCommand(root, "npx gw --version");
  expect(await npx.exit).toMatchObject(
    await runGw(["--version"]).then(({ code, stdout }) => ({ code, stdout })),
  );
});

test("the house has the packages that are published", () => {
  const rooms = rowsOf("README.md").flatMap(([room = ""]) => [
    ...room.matchAll(/^\[`(@gw\/.+)`\]\((.+)\)$/g),
  ]);
  const listed = rooms.map(([, name, folder]) => ({ name, folder }));
  expect(new Set(listed)).toEqual(new Set(published.map(({ name, folder }) => ({ name, folder }))));
});

test.each(["packages", "apps"])("the architecture page has every room of %s", async parent => {
  const rooms = await readdir(join(root, parent));
  for (const room of rooms.filter(name => existsSync(join(root, parent, name, "package.json"))))
    expect(read("docs/architecture.md")).toMatch(new RegExp(`^  ${room}/ `, "m"));
});

test.each(pages)("%s links to files that exist", page => {
  const links = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
  const local = links.filter(link => !/^https?:/.test(link));
  expect(local.filter(link => !existsSync(join(root, dirname(page), link.replace(/#.*/, ""))))).toEqual([]);
});

test.each(pages)("%s speaks of scripts that exist", page => {
  const { scripts } = JSON.parse(read("package.json"));
  const commands = codeIn(read(page)).map(code => /^npm (?:run )?(\w+)/.exec(code)?.[1] ?? "install");
  for (const script of commands.filter(word => word !== "install")) expect(scripts).toHaveProperty(script);
});

test.each([
  ["selector", /`retryDelayMs` \| (\d+) s \|/, "poolDefaults", "retryDelayMs"],
  ["selector", /`drainTimeoutMs` \| (\d+) s \|/, "poolDefaults", "drainTimeoutMs"],
  ["health", /`timeoutMs` \((\d+) s\)/, "probeDefaults", "timeoutMs"],
  ["health", /`intervalMs` \((\d+) s\)/, "checkDefaults", "intervalMs"],
  ["tcpproxy", /a timeout \((\d+) s\)/, "dialerDefaults", "connectTimeoutMs"],
  ["tcpproxy", /keepalive \((\d+) s\)/, "proxyDefaults", "keepAliveDelayMs"],
])("the README of %s states the default: %s", async (name, stated, defaults, option) => {
  const [, seconds] = stated.exec(read(`packages/${name}/README.md`)) ?? [];
  const exported = await exportsOf(`packages/${name}`);
  expect(exported[defaults]).toMatchObject({ [option]: Number(seconds) * 1_000 });
});

/** What users of a package may import. */
function exportsOf(folder: string): Promise<Readonly<Record<string, unknown>>> {
  return import(pathToFileURL(join(root, folder, "dist/index.js")).href);
}

describe.each(published.filter(({ name }) => name !== "@gw/cli"))("the README of $name", ({ folder }) => {
  const readme = join(folder, "README.md");
  let exported: Readonly<Record<string, unknown>>;
  beforeAll(async () => {
    exported = await exportsOf(folder);
  });

  test("has tables without headings for what the package exports", () => {
    const tables = tablesOf(readme).filter(([heading = []]) => heading.every(cell => cell === ""));
    const listed = tables.flat().flatMap(([name = ""]) => codeIn(name));
    expect(listed.filter(name => !(name.replace(/\(.*\)$/, "") in exported))).toEqual([]);
  });

  test("mentions every function and class that the package exports", () => {
    const mentioned = read(readme);
    const functions = Object.keys(exported).filter(name => typeof exported[name] === "function");
    expect(functions.filter(name => !new RegExp(`\\b${name}\\b`).test(mentioned))).toEqual([]);
  });
});
