// docs/configuration.md is written from the tables of flags. `npm run docs` writes it again.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Flag, groups, variable } from "../src/flags/flag.js";
import { startFlags } from "../src/flags/table.js";

const page: string = fileURLToPath(new URL("../../../docs/configuration.md", import.meta.url));

test("docs/configuration.md is generated from the tables of flags", async () => {
  await expect(configurationPage()).toMatchFileSnapshot(page);
});

test("help is at most ten words", () => {
  for (const { name, help } of Object.values(startFlags))
    expect([name, help.split(" ").length <= 10]).toEqual([name, true]);
});

function configurationPage(): string {
  const flags: readonly Flag<unknown>[] = Object.values(startFlags);
  const sections = groups.map(group => {
    const rows = flags.filter(flag => flag.group === group).map(row);
    return `### ${group}\n\n| flag | variable | default | |\n|---|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `${introduction}\n${sections.join("\n")}`;
}

function row(flag: Flag<unknown>): string {
  const { name, byDefault, choices, help } = flag;
  const values = choices ? `. One of ${choices.map(choice => `\`${choice}\``).join(", ")}` : "";
  return `| \`--${name}\` | \`${variable(flag)}\` | ${byDefault ?? ""} | ${help}${values} |`;
}

const introduction = `# Configuration

All flags of \`gw start\`, their environment variables and defaults, the exit codes and the signals.

Each flag is also an environment variable; the flag wins. \`start\` may be left out, and flags may precede it:
\`gw --endpoints=10.0.1.10\`. \`gw gateway start …\` works as \`etcd gateway start …\` does. If a flag is given twice, the last
one wins, except that repeatable flags add up. [Operations](operations.md) describes the environment, signals and the log.

| value | written as |
|---|---|
| duration | as in Go: \`500ms\`, \`5s\`, \`1m30s\` |
| endpoint | \`host\`, \`host:port\`, \`[v6]\`, \`[v6]:port\`, \`http(s)://host[:port][/path]\`; the default port is 2379 |
| boolean | \`--discovery-members\`, \`--discovery-members=true\`, \`--discovery-members=false\` |
| share | a percentage: \`50%\` |
| list | comma-separated, or the flag repeated |

| exit code | meaning |
|---|---|
| 0 | stopped as requested |
| 1 | a failure at run time |
| 2 | bad usage or configuration |

SIGHUP reads files again and repeats all look-ups. The first SIGTERM or SIGINT drains connections, a second one ends the
process at once. The log goes to stderr.

## Flags
`;
