import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runGw } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { endpointView, type Json, startAdminStub } from "./admin-stub.js";
import { type PseudoTerminal, startAtTerminal, type TerminalOptions } from "./pseudo-terminal.js";

const bin = new URL("../bin/gw.js", import.meta.url).pathname;
const [enter, leave] = ["\u001b[?1049h", "\u001b[?1049l"];

function topAt(address: string, options: TerminalOptions = {}, ...args: readonly string[]): PseudoTerminal {
  return startAtTerminal([process.execPath, bin, "top", `--admin-addr=${address}`, ...args], {
    ...options,
    env: { NO_COLOR: undefined, ...options.env },
  });
}

/** Whether the screen has a line that matches. */
const shows =
  (pattern: RegExp) =>
  ({ screen }: PseudoTerminal): boolean =>
    screen.some(line => pattern.test(line));

/** The endpoints on the screen, from top to bottom. */
const order = ({ screen }: PseudoTerminal): string =>
  screen.flatMap(line => /^[> ] {1,2}(\S+:\d+) /.exec(line)?.[1] ?? []).join(" ");

/** As a gateway after one more second. */
function later(status: Json, bytes: number): void {
  status.gateway.now = new Date(Date.parse(status.gateway.now) + 1000).toISOString();
  status.connections.accepted += 3;
  status.endpoints[0].totals.bytesFromBackend += bytes;
}

describe("without a terminal", () => {
  test("it prints one measurement and ends", async () => {
    await using stub = await startAdminStub();
    stub.events.push({
      id: 1,
      at: "2026-01-01T11:59:00.000Z",
      event: "failover",
      text: "Now \u001b[31mred\n.",
    });
    stub.status.endpoints[1] = endpointView("10.0.0.2:2379", { state: "down", reason: "connection refused" });
    stub.status.lastFailover = {
      at: "2026-01-01T11:00:00.000Z",
      from: "10.0.0.2:2379",
      to: "10.0.0.1:2379",
      reason: "connection refused",
    };
    const run = await runGw(["top"], { env: { GW_ADMIN_ADDR: stub.address } });
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(run.stdout).toContain("gw 1.2.3  up 2h0m  serving on 127.0.0.1:23790");
    expect(run.stdout).toContain("in use 10.0.0.1:2379 for 1h0m  cluster cdf818194e3a8c32");
    expect(run.stdout).toContain(
      "last failover 1h0m ago: 10.0.0.2:2379 -> 10.0.0.1:2379: connection refused",
    );
    expect(run.stdout).toMatch(/^> +10\.0\.0\.1:2379 +up +leader /m);
    expect(run.stdout).toMatch(/^ +10\.0\.0\.2:2379 +down .* connection refused$/m);
    expect(run.stdout).toContain("Now \\u001b[31mred\\u000a.");
  });

  test.each([
    ["before the first client", 0, "none yet"],
    ["when the endpoint of the newest connection is no longer used", 3, "none"],
  ])("no endpoint is in use %s", async (_, connected, text) => {
    await using stub = await startAdminStub();
    delete stub.status.inUse;
    delete stub.status.inUseSince;
    stub.status.endpoints[0].totals.connected = connected;
    const { stdout } = await runGw(["top", `--admin-addr=${stub.address}`]);
    expect(stdout).toContain(`in use ${text}  cluster `);
  });

  test("rates are those between two statuses", async () => {
    await using stub = await startAdminStub();
    const run = runGw(["top", `--admin-addr=${stub.address}`]);
    const grown = setInterval(() => later(stub.status, 2_000_000), 1000);
    const { stdout } = await run;
    clearInterval(grown);
    expect(stdout).toMatch(/, 3\.0 new\/s {2}from clients 0 B\/s, to clients 2\.0 MB\/s/);
  });
});

describe.skipIf(missing("python3"))("at a terminal", () => {
  test("it follows the stream, and restores the screen at q", async () => {
    await using stub = await startAdminStub();
    await using terminal = topAt(stub.address);
    await terminal.until(shows(/> +10\.0\.0\.1:2379 +up +leader/));
    expect(terminal.screen).toHaveLength(24);
    await stub.streaming();
    later(stub.status, 5_000_000);
    stub.status.endpoints[2].state = "down";
    // A status within a second of the last one is left out.
    const pushed = setInterval(() => stub.push(), 300);
    await terminal.until(shows(/10\.0\.0\.3:2379 +down/));
    clearInterval(pushed);
    expect(shows(/to clients 5\.0 MB\/s/)(terminal)).toBe(true);
    stub.write(
      `event: event\ndata: ${JSON.stringify({ id: 7, at: stub.status.gateway.now, event: "x", text: "It switched." })}\n\n`,
    );
    await terminal.until(shows(/It switched\./));
    terminal.type("q");
    expect(await terminal.exit).toBe(0);
    expect(terminal.output.split(leave)).toHaveLength(2);
    expect(terminal.output.indexOf(leave)).toBeGreaterThan(terminal.output.lastIndexOf("\u001b[J"));
  });

  test("keys sort, reverse, scroll and explain", async () => {
    await using stub = await startAdminStub();
    stub.status.endpoints = [9, 10, 1].map((host, index) =>
      endpointView(`10.0.0.${host}:2379`, { connections: index * 10 }),
    );
    await using terminal = topAt(stub.address);
    await terminal.until(screen => order(screen) === "10.0.0.9:2379 10.0.0.10:2379 10.0.0.1:2379");
    terminal.type("e");
    await terminal.until(screen => order(screen) === "10.0.0.1:2379 10.0.0.9:2379 10.0.0.10:2379");
    terminal.type("e");
    await terminal.until(screen => order(screen) === "10.0.0.10:2379 10.0.0.9:2379 10.0.0.1:2379");
    terminal.type("c");
    await terminal.until(screen => order(screen) === "10.0.0.1:2379 10.0.0.10:2379 10.0.0.9:2379");
    terminal.type("?");
    await terminal.until(shows(/Keys of gw top/));
    terminal.type("\u001b[B");
    await terminal.until(shows(/sorted by connections/));
    terminal.type("\u0003");
    expect(await terminal.exit).toBe(0);
  });

  test("thousands of endpoints are cut to the screen, and scroll to the last", async () => {
    await using stub = await startAdminStub();
    stub.status.endpoints = Array.from({ length: 3000 }, (_, index) => endpointView(`10.9.${index}.1:2379`));
    await using terminal = topAt(stub.address);
    await terminal.until(shows(/endpoints 1-\d+ of 3000/));
    expect(terminal.screen).toHaveLength(24);
    terminal.type("\u001b[F");
    await terminal.until(shows(/endpoints \d+-3000 of 3000/));
    expect(shows(/10\.9\.2999\.1:2379/)(terminal)).toBe(true);
    terminal.type("k");
    await terminal.until(shows(/endpoints \d+-2999 of 3000/));
  });

  test.each([
    [24, 80],
    [24, 40],
    [10, 60],
    [3, 12],
    [1, 1],
  ])("%i lines of %i columns are enough, whatever the network says", async (rows, columns) => {
    await using stub = await startAdminStub();
    stub.status.inUse = "漢字".repeat(200);
    stub.status.endpoints[1].reason = `\u001b]0;title\u0007${"漢".repeat(500)}`;
    stub.status.panic = { cause: "cluster", since: stub.status.gateway.now, reason: "\u202e\r\n".repeat(99) };
    await using terminal = topAt(stub.address, { rows, columns, env: { NO_COLOR: "1" } });
    await terminal.until(({ screen, output }) => output.includes("\u001b[J") && screen.length === rows);
    for (const line of terminal.screen) {
      expect(line).not.toMatch(/\p{Cc}/u);
      const wide = line.match(/\p{Script=Han}/gu)?.length ?? 0;
      expect(line.length + wide).toBeLessThanOrEqual(columns);
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
    expect(terminal.output).not.toMatch(/\u001b\[\d+m|\u001b\]/);
    terminal.resize(20, 70);
    await terminal.until(({ screen }) => screen.length === 20);
  });

  test("it says when the gateway has gone, and goes on when it is back", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gw-top-"));
    try {
      const path = join(folder, "admin.sock");
      const first = await startAdminStub(path);
      await using terminal = topAt(first.address);
      await terminal.until(shows(/10\.0\.0\.1:2379 +up/));
      await first[Symbol.asyncDispose]();
      await terminal.until(shows(/gateway gone for \d+s, connecting again/));
      await using second = await startAdminStub(path);
      second.status.gateway.startedAt = "2026-01-01T11:59:58.000Z";
      await terminal.until(shows(/^gw 1\.2\.3 {2}up 2s/));
      terminal.type("q");
      expect(await terminal.exit).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([
    ["SIGINT", 2],
    ["SIGTERM", 15],
  ])("%s restores the screen", async (_, number) => {
    await using stub = await startAdminStub();
    await using terminal = topAt(stub.address);
    await terminal.until(shows(/10\.0\.0\.1:2379 +up/));
    terminal.signal(number);
    expect(await terminal.exit).toBe(0);
    expect(terminal.output.lastIndexOf(leave)).toBeGreaterThan(terminal.output.lastIndexOf("\u001b[J"));
  });

  test("it ends when its terminal is closed", async () => {
    await using stub = await startAdminStub();
    await using terminal = topAt(stub.address);
    await terminal.until(shows(/10\.0\.0\.1:2379 +up/));
    terminal.hangUp();
    // Its last output fails.
    expect(await terminal.exit).toBe(1);
  });

  test("Ctrl-Z gives the terminal to the shell, fg takes it back", async () => {
    await using stub = await startAdminStub();
    const command = `${process.execPath} ${bin} top --admin-addr=${stub.address}`;
    await using terminal = startAtTerminal(["bash", "--norc", "-i"]);
    await terminal.until(({ output }) => /[$#] $/.test(output));
    terminal.type(`${command}\n`);
    await terminal.until(({ output }) => output.includes(enter) && output.includes("serving"));
    terminal.type("\u001a");
    await terminal.until(({ output }) => output.includes(leave) && /Stopped/.test(output));
    terminal.type("fg\n");
    await terminal.until(
      ({ output }) => output.split(enter).length === 3 && /\[J/.test(output.split(enter)[2] ?? ""),
    );
    terminal.type("q");
    await terminal.until(({ output }) => output.split(leave).length === 3);
    terminal.type("exit 5\n");
    expect(await terminal.exit).toBe(5);
  });

  test("an error before the first answer leaves the terminal alone", async () => {
    await using terminal = topAt("127.0.0.1:1");
    expect(await terminal.exit).toBe(1);
    expect(terminal.output).toContain(
      "nothing listens on 127.0.0.1:1: start the gateway with --admin-addr=127.0.0.1:1",
    );
    expect(terminal.output).not.toContain(enter);
  });
});
