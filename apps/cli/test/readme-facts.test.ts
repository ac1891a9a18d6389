// Compares the words and tables of the READMEs and pages with the program.
import { existsSync, readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { runGw } from "@gw/testing";
import { beforeAll, describe, expect, test } from "vitest";
import { type Flag, variable } from "../src/flags/flag.js";
import { startFlags } from "../src/flags/table.js";

import { codeIn, pages, plain, read, rowsOf, tablesOf } from "./markdown.js";
import { published, root, startCommand } from "./packed.js";

describe("the flags", () => {
  const known: readonly Flag<unknown>[] = Object.values(startFlags);

  test("of the README have the defaults of the program", () => {
    const rows = rowsOf("README.md").filter(([flag]) => flag?.startsWith("`--"));
    expect(rows).toHaveLength(10);
    const stated = rows.map(([name = "", byDefault = ""]) => [plain(name), plain(byDefault)]);
    const defaultOf = (name: string) => known.find(flag => `--${flag.name}` === name)?.byDefault ?? "";
    expect(stated).toEqual(stated.map(([name = ""]) => [name, defaultOf(name)]));
  });

  test("and variables that the pages name exist", () => {
    const others = [
      ...["--json", "--watch", "--every", "--stand-in", "--version", "--help"],
      ...["--interval", "--force", "--down", "--wait", "--drain-timeout", "--recover-timeout"],
    ];
    // Of etcd, of curl, of Node, of the command of `gw maintain`, and of Kubernetes.
    const foreign = [
      "--inspect",
      "--trace-gc",
      "GW_ENDPOINT",
      "--listen-metrics-urls",
      "--connect-to",
      "GW_HEALTH_SERVICE_HOST",
      "GW_PORT_2379_TCP_ADDR",
    ];
    const names = [...known.flatMap(flag => [`--${flag.name}`, variable(flag)]), ...others, ...foreign];
    for (const page of pages)
      for (const word of codeIn(read(page)))
        if (/^(--|GW_)[\w-]+$/.test(word))
          expect([page, names.includes(word) ? "" : word]).toEqual([page, ""]);
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

test("the README lists the packages that are published", () => {
  const rows = rowsOf("README.md").flatMap(([name = ""]) => [...name.matchAll(/^\[`(@gw\/.+)`\]\((.+)\)$/g)]);
  const listed = rows.map(([, name, folder]) => ({ name, folder }));
  expect(new Set(listed)).toEqual(new Set(published.map(({ name, folder }) => ({ name, folder }))));
});

test.each(["packages", "apps"])("the architecture page lists every package of %s", async parent => {
  const folders = await readdir(join(root, parent));
  for (const folder of folders.filter(name => existsSync(join(root, parent, name, "package.json"))))
    expect(read("docs/architecture.md")).toMatch(new RegExp(`^  ${folder}/ `, "m"));
});

test.each([...pages, "CONTRIBUTING.md", "SECURITY.md"])("%s links to files that exist", page => {
  const links = [...read(page).matchAll(/\]\(([^)]+)\)/g)].map(([, link = ""]) => link);
  const local = links.filter(link => !/^https?:/.test(link));
  expect(local.filter(link => !existsSync(join(root, dirname(page), link.replace(/#.*/, ""))))).toEqual([]);
});

test.each([...pages, "CONTRIBUTING.md"])("%s names source files that exist", page => {
  const named = codeIn(read(page)).filter(code => /^[\w./-]+\.(ts|mjs|[ch])$/.test(code));
  // A page may leave out the folders above, and `src`.
  const short = (file: string): string => file.replace("/src/", "/");
  const isFile = (name: string): boolean =>
    sources.some(file => short(`/${file}`).endsWith(short(`/${name}`)));
  expect(named.filter(name => !isFile(name))).toEqual([]);
});

const sources: readonly string[] = [
  ...readdirSync(join(root, "scripts")).map(file => `scripts/${file}`),
  ...filesOf("apps"),
  ...filesOf("packages"),
];

function filesOf(parent: string): readonly string[] {
  return readdirSync(join(root, parent)).flatMap(name =>
    ["src", "test", "native"].flatMap(folder => {
      const path = join(parent, name, folder);
      if (!existsSync(join(root, path))) return [];
      return readdirSync(join(root, path), { recursive: true, encoding: "utf8" }).map(file =>
        join(path, file),
      );
    }),
  );
}

test.each([...pages, "CONTRIBUTING.md"])("%s links to headings that exist", page => {
  for (const [, file = "", anchor] of read(page).matchAll(/\]\(([\w./-]*)#([^)]+)\)/g)) {
    const headings = read(file ? join(dirname(page), file) : page).matchAll(/^#+ (.+)$/gm);
    const anchors = [...headings].map(([, text = ""]) => anchorOf(text));
    expect(anchors).toContain(anchor);
  }
});

/** The anchor that a heading has in rendered Markdown. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w -]/g, "")
    .replaceAll(" ", "-");
}

test.each([...pages, "CONTRIBUTING.md"])("%s names scripts that exist", page => {
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
