import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectTo,
  echo,
  etcdctl,
  type Gw,
  missing,
  runGw,
  startBackend,
  startEtcd,
  startGw,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inUse } from "./in-use.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-why-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function adminOf(gw: Gw): Promise<string> {
  const { address } = await gw.logged(/^admin server ready$/);
  return String(address);
}

async function saved(gw: Gw, name: string): Promise<string> {
  const answer = await fetch(`http://${await adminOf(gw)}/events?replay`);
  const file = join(folder, name);
  await writeFile(file, await answer.text());
  return file;
}

describe.skipIf(missing("etcd", "etcdctl"))("in front of a real etcd cluster of three", () => {
  test("when the member in use is killed, gw why names it, and gw replay says what another flag changes", async () => {
    await using cluster = await startEtcd();
    await using gw = await startGw([
      `--endpoints=${cluster.endpoints}`,
      "--admin-addr=127.0.0.1:0",
      "--retry-delay=10s",
    ]);
    const address = await adminOf(gw);
    const before = await runGw(["why", `--admin-addr=${address}`]);
    expect(before.stdout).toMatch(/^No switch because of a failure is recorded\.\n/);
    expect(before.stdout).toMatch(/This gateway was started at .* nothing is known of the time before\./);

    await etcdctl(gw.address, "put", "key", "value");
    const killed = await inUse(gw, cluster);
    await killed.crash();
    await gw.logged(/^endpoint down$/, { endpoint: killed.endpoint });
    await etcdctl(gw.address, "get", "key");
    await gw.logged(/^failover$/);

    const why = await runGw(["why", `--admin-addr=${address}`]);
    expect(why).toMatchObject({ code: 0, stderr: "" });
    const now = await inUse(gw, cluster);
    expect(why.stdout).toMatch(
      new RegExp(
        `^The last switch was at \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d [+-]\\d\\d:\\d\\d \\(.* ago\\), from ${killed.endpoint} to ${now.endpoint}\\.\nThe reason: .*refused`,
      ),
    );
    expect(why.stdout).toContain(`${killed.endpoint} was marked down: `);
    expect(why.stdout).toContain(`New connections have gone to ${now.endpoint} since.`);
    expect(why.stdout).toMatch(new RegExp(`${killed.endpoint} is down since .*\nIt is tried again at `));

    const about = await runGw(["why", killed.endpoint, `--admin-addr=${address}`, "--json"]);
    const { sentences, events } = JSON.parse(about.stdout);
    expect(sentences[0]).toMatch(`${killed.endpoint} is down since `);
    expect(events.map(({ event }: { event: string }) => event)).toContain("endpoint down");

    const file = await saved(gw, "etcd.json");
    const same = await runGw(["replay", file]);
    expect(same).toMatchObject({ code: 0, stderr: "" });
    expect(same.stdout).toMatch(/\nThe same decisions\.\n$/);
    const other = await runGw(["replay", file, "--retry-delay=1h"]);
    expect(other.stdout).toContain(`, ${killed.endpoint} was marked down (`);
    expect(other.stdout).toMatch(/the next try .* later; it would have been \d+ min later\./);
  }, 60_000);
});

describe("a record that is replayed", () => {
  test("has what happened when an endpoint was down and up again; a longer delay marks it up later", async () => {
    await using first = await startBackend(echo);
    await using second = await startBackend(echo);
    const [name, other] = [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`];
    await using gw = await startGw([
      `--endpoints=${name},${other}`,
      "--selector=first",
      "--health-check=off",
      "--admin-addr=127.0.0.1:0",
      "--retry-delay=100ms",
    ]);
    (await connectTo(gw.port)).destroy();
    await gw.logged(/^connected$/);
    await first.stop();
    const client = await connectTo(gw.port);
    await gw.logged(/^failover$/, { to: other });
    await gw.logged(/^endpoint still down$/);
    await first.listenAgain();
    await gw.logged(/^endpoint up$/);
    client.destroy();
    const file = await saved(gw, "up.json");
    expect((await runGw(["replay", file])).stdout).toMatch(/\nThe same decisions\.\n$/);
    const later = await runGw(["replay", file, "--retry-delay=10h", "--max-retry-delay=20h", "--json"]);
    const { same, sentences } = JSON.parse(later.stdout);
    expect(same).toBe(false);
    const short = await runGw(["replay", file, "--retry-delay=5m", "--max-retry-delay=1s"]);
    expect(short).toMatchObject({ code: 2, stdout: "" });
    expect(short.stderr).toContain("--max-retry-delay 1s is less than --retry-delay 5m\n");
    const shorter = await runGw(["replay", file, "--max-retry-delay=1ms"]);
    expect(shorter.stderr).toContain(
      "--max-retry-delay 1ms is less than --retry-delay 100ms, that of the record",
    );
    expect(sentences.join("\n")).toContain(`${name} was marked up; that would not have happened.`);
  }, 60_000);
});

describe("bad usage is one line, and exit code 2", () => {
  test.each([
    ["no file", ["replay", "/nowhere"], /"\/nowhere" does not exist/],
    ["a folder", ["replay", "/"], /"\/" is a directory/],
    [
      "a flag that changes nothing",
      ["replay", "/nowhere", "--health-interval=5s"],
      /--health-interval changes nothing in a replay: the verdicts/,
    ],
    ["an invalid value", ["replay", "/nowhere", "--retry-delay=5"], /"5" is not a duration/],
    ["no address", ["why"], /give --admin-addr or GW_ADMIN_ADDR/],
    ["an endpoint that is none", ["why", "a:b:c", "--admin-addr=127.0.0.1:1"], /"a:b:c"/],
  ])("%s", async (_, args, message) => {
    const { code, stderr } = await runGw(args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
  });

  test.each([
    ["not JSON", "x", /is not JSON/],
    ["something else", "[1]", /is not the answer of a gateway/],
    ["events alone", '{"schema":1,"events":[]}', /has events and no record/],
    ["another schema", '{"record":{"schema":2,"items":[]}}', /schema "2"; this gw reads schema 1/],
    ["a damaged one", '{"record":{"schema":1,"items":[{}]}}', /has a damaged record: /],
  ])("a file with %s", async (name, content, message) => {
    const file = join(folder, `${name}.json`);
    await writeFile(file, content);
    const { code, stderr } = await runGw(["replay", file]);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(2);
  });
});
